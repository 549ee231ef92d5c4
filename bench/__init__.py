"""Benchmarks: ``python -m bench NAME``. Each module here without a leading underscore is one of them.

A benchmark is a function ``run(options) -> Outcome``: a table, the goals that it shows to hold or not, and the same
figures as JSON values.
"""
