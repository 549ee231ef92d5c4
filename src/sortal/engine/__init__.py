"""Array programs that score a row: numpy and the standard library, and what runs networks where there are some."""

from sortal.engine.program import Columns, Program
from sortal.engine.run import compile

__all__ = ["Columns", "Program", "compile"]
