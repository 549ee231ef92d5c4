"""A challenger from the recipe of the champion, on old and fresh rows, and its way through the gate."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Literal

from sortal.artifact.model import Model
from sortal.artifact.sign import sign, signature_of
from sortal.core.errors import DataError, InputError, OptionError
from sortal.core.plain import quoted
from sortal.core.recipe import Recipe
from sortal.data.read import read
from sortal.data.whole import temporary_folder
from sortal.filing import MODEL_FILE
from sortal.record.run import RunRecord
from sortal.retrain.cases import Case, Division, divide, labelled_cases, of_others, unseen_cases, usable
from sortal.retrain.conditions import Contender, judge
from sortal.retrain.gate import Terms, Verdict
from sortal.retrain.registry import RECIPE_FILE, Registry
from sortal.retrain.rows import as_sent, fresh_rows, new_rows, old_rows, recipe_for, together
from sortal.run import trip
from sortal.serve.deployment import read_model
from sortal.serve.log.store import LogStore
from sortal.serve.swap import check_follows

Used = Literal["all", "fresh"]
"""All rows, or only those that came with the log."""


@dataclass(frozen=True)
class RetrainOptions:
    """``data``: what the champion was trained on; only the log where empty. ``use``: the rows that are tried; each is a
    challenger. ``gate_share``: of the champion's labelled rows, the newest, how many are kept for the gate. ``budget``:
    seconds of each challenger, where it is not to be that of the recipe. ``sign``: a private key for the challenger.
    """

    data: Sequence[str]
    use: tuple[Used, ...] = ("all", "fresh")
    gate_share: float = 0.5
    budget: float | None = None
    sign: Path | None = None
    terms: Terms = field(default_factory=Terms)
    why: str = ""


@dataclass(frozen=True)
class Outcome:
    """``version``: of the challenger, the ``verdict`` on it, and the candidate that was ``chosen``. ``used``: the rows
    that it learned from, ``old`` and ``fresh`` ones in number; None where it was not built now. ``notes``: what else
    has to be known.
    """

    version: str
    verdict: Verdict
    chosen: str = ""
    used: Used | None = None
    old: int = 0
    fresh: int = 0
    notes: tuple[str, ...] = ()


def retrain(
    models: Registry, store: LogStore, options: RetrainOptions, tell: Callable[[str], None] = lambda text: None
) -> Outcome:
    """Build challengers, judge them on the newest labelled rows, and promote the best of those that pass. ``tell``
    hears what takes long.

    Raises DataError where rows are too few, or the champion changes meanwhile, OptionError where a signature is needed.
    """
    with models.changing():
        champion = models.aliases.champion
    if options.sign is None:
        _check_signed(models, champion, None)
    ours, recipe = _contender(models, champion), Recipe.read(models.file(champion, RECIPE_FILE))
    model = ours.model
    division, notes = _division(store, champion, model, options.gate_share)
    source = read(list(options.data)) if options.data else None
    notes += () if source is None else source.notes
    old = None if source is None else old_rows(source, model, notes.append)
    inputs = as_sent(division.learn, model.schema.columns)
    fresh = fresh_rows(division.learn, inputs, model, old)
    judge_cases, copies = new_rows(division.judge, [inputs] if old is None else [old, inputs], model)
    notes += copies
    use: tuple[Used, ...] = options.use
    if old is None and use != ("fresh",):
        use = ("fresh",)
        notes.append("without --data a challenger learns from the rows of the log alone")
    terms = replace(options.terms, doubt=options.terms.doubt / len(use))  # each has its share of the doubt
    home = temporary_folder()
    try:
        results: list[tuple[Verdict, str, Path, Used]] = []
        for row_set in use:
            frame = together(old if row_set == "all" else None, fresh)
            own_recipe, more = recipe_for(_with_budget(recipe, options.budget), frame, fresh, model)
            notes += [note for note in more if note not in notes]
            folder = home.path / row_set
            tell(f"a challenger learns from {row_set} rows, {frame.height:,} of them; {_duration(own_recipe)}")
            try:
                record = trip(folder, frame, own_recipe, time.monotonic(), None)
            except InputError as error:
                if row_set == "all" or len(use) == 1:
                    raise
                notes.append(f"fresh rows alone are no data to train on: {error}")
                continue
            verdict = _judge_file(ours, folder / MODEL_FILE, judge_cases, own_recipe, terms)
            results.append((verdict, _selected_name(record), folder, row_set))
        # All were judged on the same rows.
        verdict, candidate, folder, row_set = max(results, key=lambda r: (r[0].promoted, -(r[0].challenger or 0.0)))
        notes += [f"from {u} rows ({c}): {v.reasons[0].text}" for v, c, _, u in results if u != row_set]
        if options.sign is not None:
            sign(folder / MODEL_FILE, options.sign)
        with models.changing():
            _check_same(models, champion)
            version = models.add(folder, options.why, division.until)
            _settle(models, verdict, options.why)
    finally:
        home.remove()
    rows = 0 if old is None or row_set == "fresh" else old.height
    return Outcome(version, verdict, candidate, row_set, rows, len(division.learn), tuple(notes))


def promote(models: Registry, store: LogStore, terms: Terms, why: str) -> Outcome:
    """Judge the waiting challenger on all labelled rows that have come since it learned, and promote it if it passes.
    One may ask as often as one likes: the bound on mistakes holds at any time.
    """
    with models.changing():
        champion, challenger = models.aliases.champion, models.challenger
    _check_signed(models, champion, challenger)
    ours, recipe = _contender(models, champion), Recipe.read(models.file(challenger, RECIPE_FILE))
    model = ours.model
    cases, notes = usable(labelled_cases(store), model.needs.names, model.task.classes)
    until = models.seen_until(challenger)
    learned_cases = [case for case in cases if case.first <= until] if models.is_built_here(challenger) else []
    learned = [as_sent(learned_cases, model.schema.columns)] if learned_cases else []
    rows, copies = new_rows(unseen_cases(cases, champion, until), learned, model)
    notes += of_others(cases, champion, until)
    former = models.verdict(challenger)
    if former is not None:  # one of two that were tried keeps its share of the doubt
        terms = replace(terms, doubt=min(terms.doubt, 1 / former.needed))
    verdict = _judge_file(ours, models.file(challenger), rows, recipe, terms)
    with models.changing():
        _check_same(models, champion)
        if models.aliases.challenger != challenger:
            raise DataError("the registry has another challenger now; ask again")
        _settle(models, verdict, why)
    return Outcome(challenger, verdict, notes=(*notes, *copies))


def _division(store: LogStore, champion: str, model: Model, share: float) -> tuple[Division, list[str]]:
    """What of the log a challenger learns from and what judges it, and sentences on what is neither."""
    cases, notes = usable(labelled_cases(store), model.needs.names, model.task.classes)
    if not cases:
        raise DataError("; ".join(["the log has no labelled row that can be used", *notes]))
    division = divide(cases, champion, share)
    return division, [*notes, *of_others(cases, champion, division.until)]


def _contender(models: Registry, version: str) -> Contender:
    return Contender(models.model(version), models.file(version).stat().st_size)


def _judge_file(champion: Contender, file: Path, cases: Sequence[Case], recipe: Recipe, terms: Terms) -> Verdict:
    """What the log says of the challenger in a file."""
    challenger = Contender(read_model(file), file.stat().st_size)
    check_follows(challenger.served, champion.served)
    return judge(champion, challenger, cases, recipe, terms)


def _settle(models: Registry, verdict: Verdict, why: str) -> None:
    if verdict.promoted:
        models.promote(verdict, why)
    else:
        models.refuse(verdict, why)


def _check_signed(models: Registry, champion: str, challenger: str | None) -> None:
    """A service that wants signed models would not take the challenger."""
    are_signed = (
        version is not None and signature_of(models.file(version)).is_file() for version in (champion, challenger)
    )
    if tuple(are_signed) == (True, False):
        name = "the model" if challenger is None else quoted(str(models.file(challenger)))
        raise OptionError(
            f"the champion is signed, and a service with --verify takes no other model; sign {name}, too: "
            + ("sortal retrain --sign KEY" if challenger is None else "sortal sign FILE --key KEY")
        )


def _check_same(models: Registry, champion: str) -> None:
    if models.aliases.champion != champion:
        raise DataError("another model became champion meanwhile; judge the challenger against that: ask again")


def _selected_name(record: RunRecord) -> str:
    """The name of the candidate that became the model: where time was short it may be a baseline."""
    return next(candidate.name for candidate in record.leaderboard if candidate.selected)


def _duration(recipe: Recipe) -> str:
    seconds = recipe.search.seconds
    return f"at most {seconds:,.0f} s" if seconds < float("inf") else "as much work as the recipe says"


def _with_budget(recipe: Recipe, budget: float | None) -> Recipe:
    return recipe if budget is None else recipe.with_options(budget=budget, effort=None)
