"""The options and arguments of the command line that more than one command has, with their help."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

Data = Annotated[
    list[str],
    typer.Argument(help="CSV, TSV, Parquet, Arrow or JSON Lines; several, a folder of parts, or - (standard input)."),
]
ModelFile = Annotated[Path, typer.Argument(help="A .sortal file.")]
Target = Annotated[str | None, typer.Option(help="The column to predict.")]
Metric = Annotated[str, typer.Option(help="What candidates are selected by.")]
Cost = Annotated[
    str | None, typer.Option(help='"fp=1,fn=8,tp=-2", or a CSV by true and decided class; benefits are negative.')
]
CostColumn = Annotated[list[str] | None, typer.Option(help="fn=COLUMN: a cost that stands in each row; may repeat.")]
RejectCost = Annotated[float | None, typer.Option(help="What leaving a row to a person costs.")]
Precision = Annotated[float | None, typer.Option(help="Promise at least this precision, or refuse to.")]
Recall = Annotated[float | None, typer.Option(help="Promise at least this recall, or refuse to.")]
Fpr = Annotated[float | None, typer.Option(help="Promise at most this false positive rate, or refuse to.")]
Confidence = Annotated[float, typer.Option(help="Of what is promised.")]
Capacity = Annotated[str | None, typer.Option(help="How many can be decided positive: 500 at once, or 5%.")]
F1 = Annotated[bool, typer.Option("--f1", help="Decide at the threshold of the largest F1.")]
FBeta = Annotated[float | None, typer.Option(help="The same for F-beta: 2 where recall weighs more.")]
SetsOf = Annotated[float | None, typer.Option("--sets", help="Sets of classes that hold the true one this often.")]
Positive = Annotated[str | None, typer.Option(help="The class of interest of two; else the rarer.")]
Kind = Annotated[
    list[str] | None,
    typer.Option(help="COLUMN=KIND or COLUMN=KIND:FORMAT, where what is inferred is wrong; may repeat."),
]
Missing = Annotated[
    list[str] | None, typer.Option(help="A text that means 'no value', instead of the usual ones; may repeat.")
]
Ignore = Annotated[list[str] | None, typer.Option(help="A column to leave out; may repeat.")]
Time = Annotated[str | None, typer.Option(help="Column of dates or numbers: the newest rows are the test.")]
Group = Annotated[str | None, typer.Option(help="Column whose groups are never torn apart.")]
Weight = Annotated[str | None, typer.Option(help="Column that says how much a row counts in every fit.")]
Split = Annotated[
    str | None,
    typer.Option(
        help="train/valid/test or train/test, in percent, or a column that says it; 85/15, with promises 65/20/15."
    ),
]
Select = Annotated[int | None, typer.Option(help="How many prepared columns to keep.")]
SmallestCount = Annotated[
    int, typer.Option(help="A value of fewer rows leaves with no file, and is as unseen to every model; 1 keeps all.")
]
Private = Annotated[
    bool, typer.Option("--private", help="Quote no value and no row, however many share it; no oof.parquet.")
]
Models = Annotated[str, typer.Option(help="Families to try beside the baselines, with commas.")]
Budget = Annotated[str, typer.Option(help="Time for everything: 60s, 2m, 1h.")]
Seed = Annotated[int, typer.Option(help="For everything random.")]
RecipeFile = Annotated[
    Path | None,
    typer.Option(help="Options from the recipe.toml of a run, or of audit --fix; what was run is repeated."),
]
Strict = Annotated[bool, typer.Option("--strict", help="Exit 3 where the audit finds something severe.")]
AllowMissing = Annotated[
    bool, typer.Option("--allow-missing", help="A column that the model reads may be absent: missing in all rows.")
]
Json = Annotated[bool, typer.Option("--json", help="Print only JSON.")]
RunFolder = Annotated[Path | None, typer.Option("-o", "--out", help="Folder of the run; else runs/NAME-1.")]
Verify = Annotated[
    Path | None, typer.Option(help="A public key (ed25519): use the model only if it is signed with its private one.")
]
