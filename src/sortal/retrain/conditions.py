"""Two models on the cases that judge them: what they lose, by slice, and what else the challenger has to keep."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from sortal.artifact.model import Model, time_row
from sortal.core import registry
from sortal.core.arrays import Codes, Floats
from sortal.core.costs import incurred
from sortal.core.disclosure import SMALLEST_COUNT, Disclosure
from sortal.core.interval import Estimate
from sortal.core.json_rows import read_alone
from sortal.core.labels import code_of
from sortal.core.plain import quoted
from sortal.core.predictions import Predictions
from sortal.core.recipe import Recipe
from sortal.core.slicing import table_of, with_strongest
from sortal.core.writing import percent
from sortal.evaluate.cuts import Cut, cut
from sortal.evaluate.metric_interval import interval
from sortal.evaluate.metrics import Metric
from sortal.evaluate.slices import COLUMNS
from sortal.evaluate.verification import Level, check_level
from sortal.record.wording import microseconds, size
from sortal.retrain.cases import Case
from sortal.retrain.gate import Losses, Reason, Terms, Verdict, gate
from sortal.retrain.rows import as_sent
from sortal.serve.deployment import ServedModel
from sortal.serve.log.foreign import as_array

CERTIFICATE, LATENCY, SIZE = "G301", "G401", "G402"
SURE = 0.01
"""Log-loss is bounded: a class that came though it had a probability of less costs no more than with this one."""
FAST, SMALL = 0.001, 1_000_000
"""Seconds of a row and bytes of a file that nobody minds, whatever the champion takes."""


@dataclass(frozen=True)
class Contender:
    """A model in its file, of ``bytes``."""

    served: ServedModel
    bytes: int

    @property
    def model(self) -> Model:
        return self.served.model


def judge(champion: Contender, challenger: Contender, cases: Sequence[Case], recipe: Recipe, terms: Terms) -> Verdict:
    """The gate's verdict on cases that neither model has seen, in the order of time. What a model said of them, as the
    champion or as a shadow, is taken from the log.
    """
    cases, notes = one_a_group(champion.model, cases)
    if not cases:
        return gate(Losses("errors", np.zeros(0), np.zeros(0)), terms=terms)
    codes = [code_of(case.label, champion.model.task.classes) for case in cases]
    truth = np.array([-1 if code is None else code for code in codes], dtype=np.int64)
    probabilities = [_probabilities(contender, cases) for contender in (champion, challenger)]
    losses = losses_of(champion.model, challenger.model, truth, probabilities[0], probabilities[1])
    conditions = [
        *_certificate(champion.model, challenger.model, truth, probabilities[1]),
        _latency(champion.model, challenger.model, cases[-1].inputs, recipe, terms),
        _size(champion.bytes, challenger.bytes, recipe, terms),
    ]
    verdict = gate(losses, slices_of(champion.model, cases), conditions, terms)
    n_logged = sum(challenger.served.sha256 in case.answers for case in cases)
    if n_logged:
        notes.append(f"of {n_logged:,} rows the challenger's answers are those of the shadow")
    return replace(verdict, notes=tuple(notes))


def one_a_group(model: Model, cases: Sequence[Case]) -> tuple[Sequence[Case], list[str]]:
    """The first case of each group, where the champion knows any: bets take it that rows stand alone."""
    column = model.schema.only("group")
    if column is None or not cases:
        return cases, []
    grouped_cases = [case for case in cases if case.inputs.get(column.name) is not None]
    of_group: dict[str, Case] = {}
    for case in grouped_cases:
        of_group.setdefault(str(case.inputs[column.name]), case)
    without = len(cases) - len(grouped_cases)
    notes = [f"one row of each {quoted(column.name)} counts, {len(of_group):,} of {len(grouped_cases):,}"]
    if without:
        notes.append(f"{without:,} rows do not say their {quoted(column.name)} and do not count")
    return list(of_group.values()), notes


def losses_of(champion: Model, challenger: Model, truth: Codes, ours: Floats, theirs: Floats) -> Losses:
    """By costs, where the champion's task has any that are the same in all rows; by errors, where the most probable
    class is decided and classes are not rare; else by log-loss.

    ``ours``, ``theirs``: (n, K) probabilities of champion and challenger.
    """
    task, rule = champion.task, champion.decision
    if task.cost is not None and not rule.cost_columns and rule.capacity is None:
        costs = task.costs()
        decisions = [model.decision.apply(p) for model, p in ((champion, ours), (challenger, theirs))]
        losses = [incurred(costs, truth, codes) for codes in decisions]
        return Losses("cost", losses[0], losses[1], float(costs.min()), float(costs.max()))
    if rule.kind == "argmax" and not task.imbalanced:
        wrong = [(p.argmax(axis=1) != truth).astype(np.float64) for p in (ours, theirs)]
        return Losses("errors", wrong[0], wrong[1])
    of_truth = [p[np.arange(len(truth)), truth] for p in (ours, theirs)]
    loss = [-np.log(np.clip(p, SURE, 1.0)) for p in of_truth]
    return Losses("log-loss", loss[0], loss[1], 0.0, float(-np.log(SURE)))


def slices_of(model: Model, cases: Sequence[Case]) -> list[Cut]:
    """By the columns that the champion leans on most."""
    card = model.card
    there = {name for case in cases for name in case.inputs}
    names = [*(() if card is None else card.by_importance), *model.reads.names]
    by = with_strongest([], model.reads, [n for n in dict.fromkeys(names) if n in there], COLUMNS)
    if not by.columns:
        return []
    table = table_of(as_sent(cases, by.columns), by, np.arange(len(cases)))
    return [cut(table, name, Disclosure(SMALLEST_COUNT)) for name in by.names]


def _probabilities(contender: Contender, cases: Sequence[Case]) -> Floats:
    """(n, K) as the log has them, else made now."""
    sha256, model = contender.served.sha256, contender.model
    probability: Floats = np.zeros((len(cases), len(model.task.classes)))
    is_logged = np.array([sha256 in case.answers for case in cases])
    logged = [case for case in cases if sha256 in case.answers]
    probability[is_logged] = as_array(
        [case.row_id for case in logged],
        [case.answers[sha256].probabilities for case in logged],
        len(model.task.classes),
    )
    missing = np.flatnonzero(~is_logged)
    if len(missing):
        inputs = [cases[at].inputs for at in missing.tolist()]
        probability[missing] = model.score_rows(read_alone(inputs, model.reads))
    return probability


def _certificate(champion: Model, challenger: Model, truth: Codes, probability: Floats) -> Iterator[Reason]:
    """Where the champion's holds, the challenger has to have earned the same, and the fresh rows must not refute it."""
    then, now = champion.decision.certificate, challenger.decision.certificate
    if then is None or not then.holds:
        return
    if now is None or not now.holds:
        why = "it asks for none" if now is None else now.explanation
        yield Reason(CERTIFICATE, False, f"the champion's promise was not earned again: {why}")
        return
    rows = np.arange(len(truth))
    predictions = Predictions(challenger.task.classes, rows, truth, probability, "fresh")
    decisions = challenger.decision.decide(predictions)
    violations = []
    for bound in now.bounds:
        metric: Metric = registry.load("sortal.metrics", bound.measure)
        figure = Estimate.of(interval(metric, challenger.task, predictions, decisions))
        level = Level(bound.measure, bound.certified, figure, bound.measure == "fpr")
        if check_level(level).standing == "worse":
            violations.append(
                f"{bound.measure} is {figure} on the fresh rows, and {percent(bound.certified)} was certified"
            )
    text = "; ".join(violations) if violations else f"earned again: {now.explanation}"
    yield Reason(CERTIFICATE, not violations, text)


def _latency(champion: Model, challenger: Model, row: Mapping[str, object], recipe: Recipe, terms: Terms) -> Reason:
    then, now = (time_row(model, {n: row.get(n) for n in model.reads.names}) for model in (champion, challenger))
    limit = recipe.search.max_latency
    most = max(terms.times * then, FAST) if limit is None else limit
    text = f"a row takes {microseconds(1e6 * now)}, of the champion {microseconds(1e6 * then)}"
    return Reason(LATENCY, now <= most, f"{text}; at most {microseconds(1e6 * most)}")


def _size(then: int, now: int, recipe: Recipe, terms: Terms) -> Reason:
    limit = recipe.search.max_size
    most = int(max(terms.times * then, SMALL)) if limit is None else limit
    return Reason(SIZE, now <= most, f"the file has {size(now)}, of the champion {size(then)}; at most {size(most)}")
