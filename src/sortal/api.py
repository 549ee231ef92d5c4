"""What Python calls: ``sortal.train`` and ``sortal.audit``.

Either imports what it needs when it is called: a person waits for that, too, so the clock of a budget counts it.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from inspect import signature
from pathlib import Path
from typing import TYPE_CHECKING, Any, ForwardRef, Unpack

from sortal.core.errors import OptionError, did_you_mean
from sortal.core.plain import quoted
from sortal.core.recipe import Recipe
from sortal.core.sheets import AUDIT_OPTIONS, TRAIN_OPTIONS
from sortal.core.signatures import takes
from sortal.keywords import AuditOptions, TrainOptions, in_python

if TYPE_CHECKING:
    from sortal.auditing import AuditReport
    from sortal.run import Run
    from sortal.training.executor import Executor
else:
    # ``help`` shows what a call takes and returns, which is not imported for that.
    AuditReport, Run, Executor = map(ForwardRef, ("AuditReport", "Run", "Executor"))


@takes(in_python(TRAIN_OPTIONS, TrainOptions))
def train(
    data: object,
    target: Any = None,
    *,
    recipe: str | Path | None = None,
    out: str | Path | None = None,
    progress: bool = False,
    executor: Executor | None = None,
    resume: bool = False,
    **options: Unpack[TrainOptions],
) -> Run:
    """Train a classifier on a labelled table and score it once on a sealed test.

    ``data``: pandas, polars, pyarrow or numpy, a dict of columns, or the path of a file (or several). The options have
    the names and the meaning that they have on the command line: see ``sortal train --help``. ``budget`` counts from
    this call. ``recipe``: the ``recipe.toml`` of an earlier run; options beside it may not contradict it. ``progress``
    prints what the command line prints. ``executor``: where the fits of folds run (see ``sortal.training.executor``);
    one after another in this process unless given. ``resume``: the run ``out`` was killed; what it had done is not done
    again.

    Raises InputError, in a sentence, where the data or the options cannot be used.
    """
    started = time.monotonic()
    from sortal import run

    folder = None if out is None else Path(out)
    request = _recipe(train, data, target, recipe, options)
    return run.train(data, request, started, folder, progress=progress, executor=executor, resume=resume)


@takes(in_python(AUDIT_OPTIONS, AuditOptions))
def audit(
    data: object, target: Any = None, *, recipe: str | Path | None = None, **options: Unpack[AuditOptions]
) -> AuditReport:
    """What is wrong with labelled data, before any training: ``sortal.audit(frame, "churn").findings``.

    The options are those of ``train`` that have a say in what is decided and in which rows are sealed: the same
    options, the same rows.
    """
    from sortal import auditing

    return auditing.audit(data, _recipe(audit, data, target, recipe, options))


def _recipe(
    call: Callable[..., object], data: object, target: object, file: str | Path | None, options: Mapping[str, Any]
) -> Recipe:
    """What a call asks for, beside what stands in a recipe; of a folder of images the classes. Raises OptionError for
    an option that the call does not have.
    """
    parameters = signature(call).parameters
    for name in options:
        if name not in parameters:
            raise OptionError(f"{call.__name__} has no option {quoted(name)}; {did_you_mean(name, parameters)}")
    if target is None and file is None:
        from sortal.data.image_folder import own_target

        target = own_target(data)
    return Recipe.from_options({"target": target, **options}, None if file is None else Path(file))
