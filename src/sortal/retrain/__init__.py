"""Retraining: a challenger learns from old and fresh rows, and takes the champion's place only through a gate.

cases         the rows of a log whose truth is known, and which of them neither model has seen
rows          these cases as rows of the table that the champion was trained on
challenger    what is trained on them, and its way through the gate
conditions    what both lose on the same cases, and what else a challenger has to keep
gate          the verdict: better beyond noise, no slice worse, every condition kept
registry      a folder of versions, with the names champion, challenger and previous, and who did what when
"""
