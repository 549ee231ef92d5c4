"""What a run keeps on disk while it goes, so that one that was killed can be taken up again."""

from __future__ import annotations

import hashlib
from pathlib import Path

from sortal.core.errors import OptionError
from sortal.core.recipe import Recipe
from sortal.core.sheets import RAN
from sortal.data.ledger import Seal
from sortal.data.problem import Problem
from sortal.data.whole import unfinished
from sortal.training.fold_store import FoldStore
from sortal.version import __version__

FOLDS = "folds"


def fold_store(out: Path, folder: Path, problem: Problem, recipe: Recipe, resume: bool) -> FoldStore | None:
    """Where the results of folds are kept while the run goes, with those of a killed run that is resumed; a private run
    keeps none.

    Raises OptionError where there is nothing to resume.
    """
    folders = [path for path in unfinished(out) if (path / FOLDS).is_dir()] if resume else []
    if resume and recipe.rows.private:
        raise OptionError("a private run keeps no results on disk, so it cannot be resumed; leave --resume out")
    if resume and not folders:
        raise OptionError(f"there is no unfinished run of {str(out)!r} to resume; leave --resume out")
    if folders and (seal := Seal(folders[-1])).path.exists() and seal.opens:
        raise OptionError(
            f"the unfinished run {str(folders[-1])!r} had opened its sealed test already, and one look is all that is "
            "blind; leave --resume out, and name another --out"
        )
    if recipe.rows.private or recipe.search.plan:
        return None
    # The time and the families may be others: what was fitted stays what it is.
    same = {n: v for n, v in recipe.options().items() if n not in ("budget", "models", "max_latency", "max_size", *RAN)}
    key = hashlib.sha256(
        repr((__version__, problem.digest, problem.sampled, sorted(same.items()))).encode()
    ).hexdigest()
    return FoldStore.new(folder / FOLDS, key, folders[-1] / FOLDS if folders else None)
