"""The families, one file each: how it is fitted, and how what was fitted writes itself as a program."""
