"""The command line: one thin command per step of the trip.

Exit codes: 0 fine, 1 our bug, 2 the data or the options cannot be used, 3 severe findings (--strict), 130 interrupted.
"""

from __future__ import annotations

import os
import signal
import sys
import time
import traceback
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, NoReturn

import typer

from sortal.core.errors import InputError, OptionError, SortalError

if TYPE_CHECKING:
    from rich.console import Console

    from sortal.core.recipe import Recipe
    from sortal.report.record import Finding

app = typer.Typer(
    name="sortal",
    help="From a labelled table to a classifier that a person can trust with a decision.",
    pretty_exceptions_enable=False,
    add_completion=False,
)

INTERRUPTED, SEVERE = 130, 3
RECIPE_FILE = "recipe.toml"
UsageError: type[Exception] = typer.BadParameter.__mro__[1]
"""Every mistake in the options; typer gives a public name only to this kind of it."""

Data = Annotated[
    list[str],
    typer.Argument(help="CSV, TSV, Parquet, Arrow or JSON Lines; several, a folder of parts, or - (standard input)."),
]
ModelFile = Annotated[Path, typer.Argument(help="A .sortal file.")]
Target = Annotated[str, typer.Option(help="The column to predict.")]
Kinds = Annotated[
    list[str] | None,
    typer.Option("--kind", help="COLUMN=KIND or COLUMN=KIND:FORMAT, where what is inferred is wrong; may repeat."),
]
Missing = Annotated[
    list[str] | None, typer.Option(help="A text that means 'no value', instead of the usual ones; may repeat.")
]
Ignore = Annotated[list[str] | None, typer.Option(help="A column to leave out; may repeat.")]
Time = Annotated[str | None, typer.Option(help="Column of dates or numbers: the newest rows are the test.")]
Group = Annotated[str | None, typer.Option(help="Column whose groups are never torn apart.")]
Split = Annotated[
    str | None,
    typer.Option(
        help="train/valid/test or dev/test, in percent, or a column that says it; 85/15, with promises 65/20/15."
    ),
]
Strict = Annotated[bool, typer.Option("--strict", help="Exit 3 where the audit finds something severe.")]
Seed = Annotated[int, typer.Option(help="For everything random.")]
AllowMissing = Annotated[
    bool, typer.Option("--allow-missing", help="A column that the model reads may be absent: missing in all rows.")
]
Json = Annotated[bool, typer.Option("--json", help="Print only JSON.")]


@app.command()
def train(
    context: typer.Context,
    data: Data,
    target: Annotated[str | None, typer.Option(help="The column to predict.")] = None,
    metric: Annotated[str, typer.Option(help="What candidates are selected by.")] = "auto",
    cost: Annotated[
        str | None, typer.Option(help='"fp=1,fn=8,tp=-2", or a CSV by true and decided class; benefits are negative.')
    ] = None,
    cost_column: Annotated[
        list[str] | None, typer.Option(help="fn=COLUMN: a cost that stands in each row; may repeat.")
    ] = None,
    reject_cost: Annotated[float | None, typer.Option(help="What leaving a row to a person costs.")] = None,
    precision: Annotated[float | None, typer.Option(help="Promise at least this precision, or refuse to.")] = None,
    recall: Annotated[float | None, typer.Option(help="Promise at least this recall, or refuse to.")] = None,
    fpr: Annotated[float | None, typer.Option(help="Promise at most this false positive rate, or refuse to.")] = None,
    confidence: Annotated[float, typer.Option(help="Of what is promised.")] = 0.95,
    capacity: Annotated[str | None, typer.Option(help="How many can be decided positive: 500 at once, or 5%.")] = None,
    f1: Annotated[bool, typer.Option("--f1", help="Decide at the threshold of the largest F1.")] = False,
    f_beta: Annotated[float | None, typer.Option(help="The same for F-beta: 2 where recall weighs more.")] = None,
    sets: Annotated[float | None, typer.Option(help="Sets of classes that hold the true one this often.")] = None,
    positive: Annotated[str | None, typer.Option(help="The class of interest of two; else the rarer.")] = None,
    kind: Kinds = None,
    missing: Missing = None,
    ignore: Ignore = None,
    time_: Annotated[
        str | None, typer.Option("--time", help="Column of dates or numbers: the newest rows are the test.")
    ] = None,
    group: Group = None,
    split: Split = None,
    select: Annotated[int | None, typer.Option(help="How many prepared columns to keep.")] = None,
    models: Annotated[str, typer.Option(help="Families to try beside the baselines, with commas.")] = "",
    budget: Annotated[str, typer.Option(help="Time for everything: 60s, 2m, 1h.")] = "2m",
    seed: Seed = 0,
    recipe: Annotated[Path | None, typer.Option(help="Replay the recipe.toml of an earlier run.")] = None,
    out: Annotated[Path | None, typer.Option(help="Folder of the run; else runs/NAME-1.")] = None,
    strict: Strict = False,
    json: Json = False,
) -> None:
    """Train a classifier and open the sealed test once."""
    from sortal.core.recipe import Recipe, parse_budget, parse_kinds, parse_names

    if recipe is not None:
        _refuse_other_options(context)
        _train(data, Recipe.read(recipe), out, json, strict)
        return
    if target is None:
        raise OptionError("say which column is to be predicted: --target COLUMN")
    asked = Recipe(
        target=target,
        metric=metric,
        cost=cost,
        cost_columns=tuple(cost_column or ()),
        reject_cost=reject_cost,
        positive=positive,
        goal="f1" if f1 or f_beta is not None else None,
        beta=1.0 if f_beta is None else f_beta,
        precision=precision,
        recall=recall,
        fpr=fpr,
        confidence=confidence,
        capacity=capacity,
        sets=sets,
        kinds=parse_kinds(kind or []),
        missing=None if missing is None else tuple(missing),
        ignore=tuple(ignore or ()),
        time=time_,
        group=group,
        split=split,
        select=select,
        models=parse_names(models),
        budget=parse_budget(budget),
        seed=seed,
    )
    _train(data, asked, out, json, strict)


@app.command()
def predict(
    model: ModelFile,
    data: Data,
    out: Annotated[
        Path | None, typer.Option("-o", "--out", help=".csv, .tsv, .parquet, .jsonl or .arrow; else the screen.")
    ] = None,
    allow_missing: AllowMissing = False,
    warnings: Annotated[
        bool, typer.Option("--warnings", help="One more column: what training never saw in a row.")
    ] = False,
) -> None:
    """Label, decision and probabilities for every row; files may be larger than memory."""
    from sortal.artifact.score import score_file
    from sortal.data.standard_input import spooled

    with spooled(data) as files:
        scored = score_file(model, files, out, allow_missing=allow_missing, warnings=warnings)
    if out is not None:
        _console().print(f"{scored.rows:,} rows scored: {out}", highlight=False)
    _say(scored.notes)
    _say([f"not as in training: {shift.message}" for shift in scored.shifts])


@app.command()
def evaluate(
    model: ModelFile,
    data: Annotated[list[str] | None, typer.Argument(help="Labelled rows.")] = None,
    sealed: Annotated[
        bool, typer.Option("--sealed", help="Look at the run's own sealed test again; the look is recorded.")
    ] = False,
    allow_missing: AllowMissing = False,
    json: Json = False,
) -> None:
    """Compare fresh labelled rows with what was promised."""
    from sortal import workflow
    from sortal.data.standard_input import spooled
    from sortal.report import summary

    with spooled(data or []) as files:
        found = workflow.evaluate(model, files, sealed=sealed, allow_missing=allow_missing)
    if json:
        print(found.to_json().decode())
    else:
        summary.evaluation(_console(), found)
        _say(found.notes)


@app.command()
def show(model: ModelFile, json: Json = False) -> None:
    """Schema, figures, decision and checklist of a model; loads no training library."""
    from sortal.artifact.model import load
    from sortal.report import summary

    loaded = load(model)
    if json:
        print(summary.as_json(loaded).decode())
    else:
        summary.model(_console(), loaded, model.name)


@app.command()
def audit(
    data: Data,
    target: Target,
    kind: Kinds = None,
    missing: Missing = None,
    ignore: Ignore = None,
    time: Time = None,
    group: Group = None,
    split: Split = None,
    seed: Seed = 0,
    fix: Annotated[
        bool, typer.Option("--fix", help="Write recipe.toml, which leaves out the columns of severe findings.")
    ] = False,
    strict: Strict = False,
    json: Json = False,
) -> None:
    """What is wrong with the data, before any training."""
    from sortal import workflow
    from sortal.core.recipe import Recipe, parse_kinds
    from sortal.data.standard_input import spooled
    from sortal.report import summary

    asked = Recipe(
        target=target,
        kinds=parse_kinds(kind or []),
        missing=None if missing is None else tuple(missing),
        ignore=tuple(ignore or ()),
        time=time,
        group=group,
        split=split,
        seed=seed,
    )
    with spooled(data) as files:
        found = workflow.audit(files, asked)
    if json:
        print(found.to_json().decode())
    else:
        summary.audit(_console(), found)
    if fix:
        written = workflow.write_fix(Path(RECIPE_FILE), asked, found)
        if not json:
            summary.fixed(_console(), RECIPE_FILE, written, data)
    _judge(found.findings, strict)


@app.command()
def demo(
    budget: Annotated[str, typer.Option(help="Time for everything.")] = "60s",
    out: Annotated[Path | None, typer.Option(help="Folder of the run; else runs/churn-1.")] = None,
) -> None:
    """The whole trip on real data: which customers of a telephone company leave, and what missing one costs."""
    from sortal.core.recipe import Recipe, parse_budget
    from sortal.examples import churn

    _train([str(churn())], Recipe("Churn", cost="fp=1,fn=8", budget=parse_budget(budget)), out, json=False)


def _train(data: list[str], recipe: Recipe, out: Path | None, json: bool, strict: bool = False) -> None:
    from sortal.data.standard_input import spooled
    from sortal.report.narrator import Narrator
    from sortal.training.deadline import process_start
    from sortal.workflow import NoAudience, next_folder, train_into

    with spooled(data) as files:
        # What comes through a pipe may be long in coming: the clock starts when it is there.
        started = process_start() if files == data else time.monotonic()
        folder = out or next_folder(files)
        if json:
            finished = train_into(folder, files, recipe, NoAudience(), started)
            print(finished.to_json().decode())
        else:
            with Narrator(_console(), recipe.budget, started) as narrator:
                finished = train_into(folder, files, recipe, narrator, started)
            narrator.finished(finished, folder)
    _judge(finished.audit, strict)


def _judge(findings: Sequence[Finding], strict: bool) -> None:
    """Nothing is stopped by what was found; who wants a program to notice says so."""
    if strict and any(finding.severity == "severe" for finding in findings):
        raise typer.Exit(SEVERE)


def _refuse_other_options(context: typer.Context) -> None:
    """A recipe says everything but which data and where to."""
    told = [n for n in context.params if (source := context.get_parameter_source(n)) and source.name == "COMMANDLINE"]
    flags = [f"--{name.strip('_')}" for name in told if name not in ("data", "recipe", "out", "strict", "json")]
    if flags:
        raise OptionError(f"{' and '.join(flags)} contradict --recipe, which says it already; leave one of them out")


def _say(notes: Sequence[str]) -> None:
    """What has to be known of a result, beside it."""
    for note in notes:
        print("sortal:", " ".join(note.splitlines()), file=sys.stderr)


def _console() -> Console:
    """As wide as the terminal; a pipe gets lines that a person can still read."""
    from rich.console import Console

    console = Console(highlight=False)
    return console if console.is_terminal else Console(highlight=False, width=120)


def main(arguments: list[str] | None = None) -> None:
    """Run a command and turn errors into one sentence and an exit code; returns where all is well."""
    # Threads that wait for each other by spinning lose to any other process on the machine.
    os.environ.setdefault("OMP_WAIT_POLICY", "passive")
    if arguments is None:
        # A scheduler that ends a run leaves no half of it either.
        signal.signal(signal.SIGTERM, signal.default_int_handler)
    given = list(sys.argv[1:] if arguments is None else arguments)
    debug = "--debug" in given
    try:
        code = app([a for a in given if a != "--debug"] or ["--help"], prog_name="sortal", standalone_mode=False)
        sys.stdout.flush()
    except (KeyboardInterrupt, typer.Abort):
        code = INTERRUPTED
    except UsageError as error:
        _end(_usage(error), 2, debug)
    except SortalError as error:
        _end(str(error), 2 if isinstance(error, InputError) else 1, debug)
    except MemoryError:
        _end("not enough memory; use fewer columns (--ignore) or fewer rows", 2, debug)
    except OSError as error:
        _discard_output()
        if isinstance(error, BrokenPipeError):
            sys.exit(1)
        where = f" ({error.filename})" if error.filename else ""
        _end(f"the system refused{where}: {error.strerror or error}", 2, debug)
    except Exception as error:  # noqa: BLE001 - the last door: a person sees a sentence, not a traceback
        _end(f"a bug of sortal: {type(error).__name__}: {error}; --debug shows where", 1, debug)
    if code == INTERRUPTED:
        _end("interrupted; nothing was written", INTERRUPTED, debug)
    if code == SEVERE:
        _end("the audit found something severe (--strict)", SEVERE, debug)


def _usage(error: Exception) -> str:
    """What typer says of a mistake in the options, and where to read on."""
    context = getattr(error, "ctx", None)
    told = error.format_message().strip().rstrip(".")  # type: ignore[attr-defined]
    return f"{told[:1].lower()}{told[1:]}; see {context.command_path if context else 'sortal'} --help"


def _discard_output() -> None:
    """What could not be written to the screen or the pipe is not tried again when the process ends."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, sys.stdout.fileno())
    os.close(nowhere)


def _end(sentence: str, code: int, debug: bool) -> NoReturn:
    if debug:
        traceback.print_exc()
    print("sortal:", " ".join(sentence.splitlines()), file=sys.stderr)
    sys.exit(code)


if __name__ == "__main__":
    main()
