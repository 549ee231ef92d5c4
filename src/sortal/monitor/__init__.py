"""Monitoring: whether a model that is in use still does what it promised, with alarms that one can believe.

    evidence    how much a stream speaks against "nothing has changed", at any time and for every day it may have begun
    drift       columns and predictions against the profile of training
    risk        what a decision costs, from late labels, against what was promised
    estimate    what decisions are expected to cost while labels have not come
    shift       what kind of change an alarm is about, of two classes
    confused    the same of more classes, by their decisions and labels

All keep counts by day and nothing else, so that a year of rows is read once. The first three give e-values: if nothing
has changed, that it ever exceeds 1 / alpha has a probability of at most alpha (Ville 1939), however often one looks.
"""
