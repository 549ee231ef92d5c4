"""What ``python -m bench fuzz`` is made of: files to start from, ways to spoil them, and a judge of what sortal makes
of each.

``seeds`` trains small models and writes small tables. ``trees``, ``models``, ``tables`` and ``recipes`` spoil them; the
same number always gives the same case. ``judge`` says whether a case was refused, right or a fault, under the limits
and the watch of ``guard``. ``pool`` runs many of them in processes of their own (``worker``), which it replaces when
they die or hang.
"""
