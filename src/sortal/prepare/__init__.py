"""How a column becomes numbers. Everything here is fitted on the training rows of one fold and on nothing else.

A preparer (entry-point group ``sortal.preparers``, one a kind) fits one column and writes it as a program; ``table``
puts the columns side by side, imputes, scales and selects. Training rows and rows to score go through the same program.
"""
