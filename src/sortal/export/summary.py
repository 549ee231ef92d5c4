"""What of a run is sent to a tool that keeps track of many: all that a report may say, and nothing of single rows."""

from __future__ import annotations

import io
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec

from sortal.artifact.model import Model, load
from sortal.core.errors import DataError
from sortal.core.plain import cut, quoted
from sortal.core.recipe import Recipe, defaults
from sortal.core.sheets import RAN
from sortal.filing import MODEL_FILE
from sortal.record.run import RunRecord
from sortal.report import summary
from sortal.report.screen import NOTEBOOK, Screen
from sortal.serve.deployment import read_model
from sortal.serve.typical import example

NEEDED = (MODEL_FILE, "run.json", "recipe.toml")
"""What every run folder has, and every version of a registry."""
FILES = ("report.html", "run.json", "recipe.toml", "leaderboard.csv")
"""That are sent where they are there. The other files of a run are of single rows: they stay."""
CARD_FILE = "model_card.md"
MOST_LETTERS = 5_000
"""Of a parameter or a description; MLflow takes 6,000 and 8,000. What is longer is whole in a file that is sent."""


@dataclass(frozen=True)
class Summary:
    """``parameters``: the options that are not the usual ones, and the candidate that was chosen. ``figures``: by part
    of the data and metric, each with the ends of its interval. ``card``: the model in Markdown. ``example``: a row as
    the model takes it, made up; None where not even a usual value may leave. ``files``: that are sent as they are.
    """

    model: Model
    model_file: Path
    name: str
    parameters: Mapping[str, str]
    figures: Mapping[str, float]
    tags: Mapping[str, str]
    card: str
    example: Mapping[str, Any] | None
    files: tuple[Path, ...]


def summary_of(run: Path) -> Summary:
    """Raises DataError for a folder that is no run, or whose model is not the one that its record is about."""
    missing = next((name for name in NEEDED if not (run / name).is_file()), None)
    if missing is not None:
        raise DataError(f"{quoted(str(run))} is no folder of a run: it has no {missing}")
    file = run / MODEL_FILE
    record, recipe = RunRecord.from_json((run / "run.json").read_bytes()), Recipe.read(run / "recipe.toml")
    sha256 = read_model(file).sha256
    if record.artifact is None or record.artifact.sha256 != sha256:
        raise DataError(f"{MODEL_FILE} of {quoted(str(run))} is not the model that its run.json is about")
    model = load(file)
    return Summary(
        model=model,
        model_file=file,
        name=run.resolve().name,
        parameters=_parameters(recipe, record),
        figures=dict(_figures(model, record)),
        tags=_tags(record, sha256),
        card=_card(model, file.name),
        example=None if recipe.rows.private else _example(model),
        files=tuple(run / name for name in FILES if (run / name).is_file()),
    )


def _parameters(recipe: Recipe, record: RunRecord) -> dict[str, str]:
    options = {
        name: _text(value)
        for name, value in recipe.options().items()
        if name not in RAN and (name not in defaults() or value != defaults()[name])
    }
    winner = record.chosen
    return options if winner is None else options | {"chosen": winner.name, "chosen_family": winner.family}


def _text(value: object) -> str:
    """As JSON, but for a text or a number, which stands for itself."""
    plain = str(value) if isinstance(value, str | int | float) else msgspec.json.encode(value).decode()
    return cut(plain, MOST_LETTERS)


def _figures(model: Model, record: RunRecord) -> Iterator[tuple[str, float]]:
    for part, figures in model.metrics.items():
        for metric, figure in figures.items():
            ends = {"": figure.value, ".low": figure.low, ".high": figure.high}
            yield from ((f"{part}/{metric}{end}", value) for end, value in ends.items() if value is not None)
    yield "seconds", record.timing.wall_seconds
    if record.artifact is not None:
        yield "model_bytes", float(record.artifact.bytes)
        if record.artifact.row_microseconds is not None:
            yield "row_microseconds", record.artifact.row_microseconds


def _tags(record: RunRecord, sha256: str) -> dict[str, str]:
    items = record.checklist
    tags = {
        "sortal.version": record.sortal_version,
        "sortal.model_sha256": sha256,
        "sortal.data": record.data.name,
        "sortal.rows": str(record.data.rows),
        "sortal.target": record.task.target,
        "sortal.checklist": f"{sum(i.status == 'holds' for i in items)} of {len(items)} hold",
        "sortal.test_opened": str(record.ledger.opens),
    }
    return tags | ({} if record.data.sha256 is None else {"sortal.data_sha256": record.data.sha256})


def _card(model: Model, name: str) -> str:
    """What ``sortal show`` prints, as Markdown that keeps its lines."""
    text = io.StringIO()
    summary.model(Screen(text, NOTEBOOK), model, name)
    lines = "\n".join(line.rstrip() for line in text.getvalue().splitlines())
    return f"# {model.task.target}\n\n```\n{lines}\n```\n"


def _example(model: Model) -> dict[str, Any]:
    """A usual value of each column, as a request of JSON has it."""
    return {column.name: example(column, model.profile.get(column.name)) for column in model.needs.columns}
