"""Who is told what a long run is doing: a live bar in a terminal, or nobody."""

from __future__ import annotations


class Observer:
    """Hears what a run does, and does nothing: for pipes, tests and Python. Training speaks to it and knows nothing of
    terminals.

    >>> Observer().running("logistic fold 1/5")
    """

    def phase(self, name: str) -> None:
        """A step of the trip begins, for example ``"TRAIN"``."""

    def running(self, what: str) -> None:
        """What runs from now on, for example ``"catboost fold 4/5"``."""

    def best(self, text: str) -> None:
        """The best so far, for example ``"lightgbm .1873"``."""

    def finishing(self) -> None:
        """Somebody asked, by Ctrl-C, to finish with the best so far."""
