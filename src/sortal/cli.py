"""The command line: one thin command per step of the trip.

Exit codes: 0 fine, 1 our bug, 2 the data or the options cannot be used, 3 severe findings (--strict),
an alarm (monitor), a challenger that does not pass (retrain, promote), 130 interrupted.
"""

from __future__ import annotations

import atexit
import gc
import os
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from sortal.core.errors import OptionError
from sortal.core.plain import visible
from sortal.core.sheets import AUDIT_OPTIONS, TRAIN_OPTIONS
from sortal.core.signatures import takes
from sortal.endings import finish, say
from sortal.export import commands as exporting
from sortal.monitor import commands as monitoring
from sortal.options import (
    AllowMissing,
    Budget,
    Data,
    Json,
    ModelFile,
    RecipeFile,
    Resume,
    RunFolder,
    Strict,
    Verify,
    on_command_line,
)
from sortal.retrain import commands as retraining
from sortal.serve import commands as serving
from sortal.version import __version__

if TYPE_CHECKING:
    from sortal.artifact.model import Model
    from sortal.checks.audit import Finding
    from sortal.core.recipe import Recipe
    from sortal.data.read import Source
    from sortal.report.screen import Screen

app = typer.Typer(
    name="sortal",
    pretty_exceptions_enable=False,
    add_completion=False,
)

SEVERE = 3
MANY_OBJECTS = 100_000
"""New objects between two searches for garbage; importing all of a run makes some hundred thousand that stay."""
RECIPE_FILE = "recipe.toml"


def _tell_version(requested: bool) -> None:
    if requested:
        print(f"sortal {__version__}")
        raise typer.Exit


@app.callback()
def sortal(
    version: Annotated[
        bool, typer.Option("--version", callback=_tell_version, is_eager=True, help="Which sortal this is.")
    ] = False,
) -> None:
    """From a labelled table to a classifier that a person can trust with a decision."""


@app.command()
@takes(map(on_command_line, TRAIN_OPTIONS))
def train(
    context: typer.Context,
    data: Data,
    *,
    recipe: RecipeFile = None,
    out: RunFolder = None,
    resume: Resume = False,
    strict: Strict = False,
    json: Json = False,
    **options: Any,
) -> None:
    """Train a classifier and open the sealed test once."""
    request = _recipe(context, data, options, recipe)
    if recipe is not None:
        _tell_if_not_repeated(request, recipe)
    if resume and out is None:
        raise OptionError("say which run to resume: --out FOLDER")
    _train(data, request, out, json, strict, resume)


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
    verify: Verify = None,
) -> None:
    """Label, decision and probabilities for every row; files may be larger than memory."""
    from sortal.artifact.score import score_file
    from sortal.data.sealed_rows import is_sealed
    from sortal.data.standard_input import spooled

    _tell_of_abandoned(out, data)
    with spooled(data) as files:

        def look(loaded: Model, sha256: str) -> Source:
            from sortal.record.looks import to_predict

            return to_predict(loaded, sha256, model, files)

        rows = look if any(is_sealed(Path(file)) for file in files) else files
        result = score_file(model, rows, out, allow_missing=allow_missing, warnings=warnings, verify=verify)
    if out is not None:
        _console().print(f"{result.rows:,} rows scored: {visible(str(out))}")
    say(*result.notes)
    say(*(f"not as in training: {shift.message}" for shift in result.shifts))


@app.command()
def evaluate(
    model: ModelFile,
    data: Annotated[list[str] | None, typer.Argument(help="Labelled rows.")] = None,
    sealed: Annotated[
        bool, typer.Option("--sealed", help="Look at the run's own sealed test again; the look is recorded.")
    ] = False,
    slices: Annotated[
        list[str] | None, typer.Option("--slice", help="A column by which figures are shown; may repeat.")
    ] = None,
    allow_missing: AllowMissing = False,
    verify: Verify = None,
    json: Json = False,
) -> None:
    """Compare fresh labelled rows with what was promised."""
    from sortal import evaluation
    from sortal.data.standard_input import spooled
    from sortal.report import summary

    _tell_of_abandoned(model, data or [])
    with spooled(data or []) as files:
        result = evaluation.evaluate(
            model, files, sealed=sealed, slices=slices or (), allow_missing=allow_missing, verify=verify
        )
    if json:
        print(result.to_json().decode())
    else:
        summary.evaluation(_console(), result)
        say(*result.notes)


@app.command()
def show(model: ModelFile, verify: Verify = None, json: Json = False) -> None:
    """Schema, figures, decision and checklist of a model; loads no training library."""
    from sortal.artifact.model import load
    from sortal.report import summary

    loaded = load(model, verify)
    if json:
        print(summary.as_json(loaded).decode())
    else:
        summary.model(_console(), loaded, model.name)


@app.command()
def pick(
    run: Annotated[Path, typer.Argument(help="The folder of a run.")],
    name: Annotated[str, typer.Argument(help="A candidate on the front of score against latency.")],
    out: Annotated[Path, typer.Option("-o", "--out", help="The model file.")] = Path("model.sortal"),
) -> None:
    """Ship another candidate of a run, without training: one that is faster, or better."""
    from sortal.picking import pick as ship_picked
    from sortal.report import summary

    _tell_of_abandoned(out, [])
    summary.picked(_console(), ship_picked(run, name, out), name, out)


@app.command()
def sign(
    model: ModelFile,
    key: Annotated[Path, typer.Option(help="A private key (ed25519), in PEM or as OpenSSH writes it.")],
) -> None:
    """Sign a model file, so that --verify can tell it from any other; the signature lies beside it."""
    from sortal.artifact import sign as signatures
    from sortal.artifact.model import load

    load(model)
    print(visible(f"signed: {signatures.sign(model, key)}; to check: sortal show {model} --verify PUBLIC_KEY"))


@app.command()
@takes(map(on_command_line, AUDIT_OPTIONS))
def audit(
    context: typer.Context,
    data: Data,
    *,
    recipe: RecipeFile = None,
    fix: Annotated[
        bool, typer.Option("--fix", help="Write recipe.toml, which leaves out the columns of severe findings.")
    ] = False,
    out: Annotated[
        Path | None, typer.Option("-o", "--out", help="A .json file for what --json prints, beside the screen.")
    ] = None,
    strict: Strict = False,
    json: Json = False,
    **options: Any,
) -> None:
    """What is wrong with the data, before any training; the options are those of train."""
    from sortal import auditing
    from sortal.data.read import files_of
    from sortal.data.standard_input import spooled
    from sortal.data.whole import replacing
    from sortal.report import summary

    if out is not None and out.suffix != ".json":
        raise OptionError(f"an audit is written as JSON, and {str(out)!r} is no .json file; call it {out.stem}.json")
    request = _recipe(context, data, options, recipe)
    _tell_of_abandoned(out, data)
    with spooled(data) as files:
        report = auditing.audit(files, request)
        if out is not None:
            with replacing(out, sparing=files_of(files)) as temporary:
                temporary.write_bytes(report.to_json())
    if json:
        print(report.to_json().decode())
    else:
        report.print(_console())
    if fix:
        ignored = auditing.write_fix(Path(RECIPE_FILE), request, report)
        if not json:
            summary.fixed(_console(), RECIPE_FILE, ignored, data)
    _judge(report.findings, strict)


app.command()(serving.serve)
app.command()(serving.label)
app.command()(monitoring.monitor)
app.command()(exporting.export)
app.command()(retraining.registry)
app.command()(retraining.retrain)
app.command()(retraining.promote)
app.command()(retraining.rollback)


@app.command()
def demo(
    budget: Budget = "60s",
    out: RunFolder = None,
) -> None:
    """The whole trip on real data: which customers of a telephone company leave, and what missing one costs."""
    from sortal.core.recipe import Recipe
    from sortal.examples import churn

    _train([str(churn())], Recipe.of("Churn", cost="fp=1,fn=8", budget=budget), out, json=False)


def _recipe(context: typer.Context, data: list[str], options: Mapping[str, Any], file: Path | None) -> Recipe:
    """What was asked: the options that a person gave, beside what stands in a recipe; of a folder of images the
    classes.
    """
    from sortal.core.recipe import Recipe

    values = {name: value for name, value in options.items() if _was_given(context, name)}
    if file is None and "target" not in values:
        from sortal.data.image_folder import own_target

        values["target"] = own_target(data)
    return Recipe.from_options(values, file)


def _tell_if_not_repeated(request: Recipe, file: Path) -> None:
    """Who adds an option to the recipe of a run gets another run."""
    from sortal.core.recipe import Recipe

    if Recipe.read(file).search.plan and not request.search.plan:
        say(f"{file} does not say all of that, so candidates are tried anew")


def _was_given(context: typer.Context, name: str) -> bool:
    source = context.get_parameter_source(name)
    return source is not None and source.name == "COMMANDLINE"


def _train(
    data: list[str], recipe: Recipe, out: Path | None, json: bool, strict: bool = False, resume: bool = False
) -> None:
    from sortal.data.standard_input import spooled
    from sortal.run import trip
    from sortal.training.deadline import process_start
    from sortal.workflow import RUNS, next_folder

    _tell_of_abandoned(out or Path(RUNS, "any"), data)
    with spooled(data) as files:
        # What comes through a pipe may be long in coming: the clock starts when it is there.
        started = process_start() if files == data else time.monotonic()
        record = trip(out or next_folder(files), files, recipe, started, None if json else _console(), resume=resume)
    if json:
        print(record.to_json().decode())
    _judge(record.audit, strict)


def _judge(findings: Sequence[Finding], strict: bool) -> None:
    """Nothing is stopped by what was found; who wants a program to notice says so."""
    if strict and any(finding.severity == "severe" for finding in findings):
        say("the audit found something severe (--strict)")
        raise typer.Exit(SEVERE)


def _tell_of_abandoned(out: Path | None, data: Sequence[str]) -> None:
    """What runs that were killed have left where this one writes."""
    from sortal.data.whole import abandoned, temporary_files

    places = [
        *([] if out is None else [out.expanduser().absolute().parent]),
        *([temporary_files()] if "-" in data else []),
    ]
    say(*(sentence for place in places for sentence in abandoned(place)))


def _console() -> Screen:
    from sortal.report.screen import Screen

    return Screen()


def main(arguments: list[str] | None = None) -> None:
    """Run a command and turn errors into one sentence and an exit code; returns where all is well."""
    # Threads that wait for each other by spinning lose to any other process on the machine.
    os.environ.setdefault("OMP_WAIT_POLICY", "passive")
    if arguments is None:
        _collect_rarely()
    argv = list(sys.argv[1:] if arguments is None else arguments)
    words = [word for word in argv if word != "--debug"] or ["--help"]

    def run() -> Any:
        return app(words, prog_name="sortal", standalone_mode=False)

    finish(run, debug="--debug" in argv, own_process=arguments is None)


def _collect_rarely() -> None:
    """A process that imports much, runs once and ends is not to search its modules for garbage: a fifth of the time of
    a short run.
    """
    gc.set_threshold(MANY_OBJECTS)
    atexit.register(gc.freeze)


if __name__ == "__main__":
    main()
