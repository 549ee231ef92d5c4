"""Retraining: a challenger learns from old and fresh rows, and takes the champion's place only through a gate.

gate          champion and challenger on the same labelled rows, and a verdict with its reasons
registry      a folder of versions, with the names champion, challenger and previous, and who did what when
"""
