"""What a run did, so that it can be repeated without a clock: its candidates, each with the settings of every fold."""

from __future__ import annotations

from dataclasses import dataclass

Number = float | int | str


@dataclass(frozen=True)
class Planned:
    """One candidate as it was run: for each fold the settings that repeat it without a clock.

    ``rows``: the training rows that it was given of each fold; None for all. ``latency``: the share of
    ``max_latency`` that a row takes; None where there is no such limit. ``ending``: the share of the time left that
    shipping it took; None where that was enough for all.
    """

    name: str
    efforts: tuple[dict[str, Number], ...]
    rows: int | None = None
    latency: float | None = None
    ending: float | None = None
