"""Small real data that comes with the package; source and licence stand in ``examples/README.md`` of the project."""

from __future__ import annotations

from pathlib import Path


def churn() -> Path:
    """IBM's sample of a telephone company's customers (7,043 rows); target ``Churn``."""
    installed = Path(__file__).with_name("churn.csv")
    # In a checkout the file lies in the project's own folder of examples; a wheel carries a copy.
    return installed if installed.exists() else Path(__file__).parents[3] / "examples" / "churn.csv"
