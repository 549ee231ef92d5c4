"""The command line's options and arguments: those of a recipe as its sheets have them, and those that more than one
command has."""

from __future__ import annotations

from dataclasses import Field
from inspect import Parameter
from pathlib import Path
from types import NoneType, UnionType
from typing import Annotated, Any, get_args, get_origin

import typer

from sortal.core.sheets import TRAIN_OPTIONS, option_types
from sortal.core.signatures import keyword


def on_command_line(option: Field[Any]) -> Parameter:
    """An option of a recipe as typer reads it: a flag, a number, a text, or a text that may repeat."""
    kind, default = _option_type(option_types()[option.name], option.metadata["written"])
    kind = str | None if option.metadata["unit"] else kind
    flag = [f"--{option.name}"] if kind is bool else []  # else typer adds its opposite
    return keyword(option, kind, typer.Option(default, *flag, help=option.metadata["help"]))


def _option_type(field_type: Any, default: Any) -> tuple[Any, Any]:
    """The type and the default of what is written for a value that a sheet holds."""
    if isinstance(default, str):
        return str, default
    members = {*get_args(field_type)} - {NoneType} if isinstance(field_type, UnionType) else {field_type}
    if members & {bool, int, float} and len(members) == 1:
        return field_type, default
    return (list[str] | None if {get_origin(member) for member in members} & {tuple, dict} else str | None), None


Data = Annotated[
    list[str],
    typer.Argument(
        help="CSV, TSV, Parquet, Arrow or JSON Lines; several, a folder of parts or of images, or - (standard input)."
    ),
]
ModelFile = Annotated[Path, typer.Argument(help="A .sortal file.")]
RecipeFile = Annotated[
    Path | None,
    typer.Option(help="Options from the recipe.toml of a run, or of audit --fix; what was run is repeated."),
]
Resume = Annotated[bool, typer.Option("--resume", help="The run --out was killed: what it had done is not done again.")]
Strict = Annotated[bool, typer.Option("--strict", help="Exit 3 where the audit finds something severe.")]
AllowMissing = Annotated[
    bool, typer.Option("--allow-missing", help="A column that the model reads may be absent: missing in all rows.")
]
Budget = Annotated[str, typer.Option(help=next(o.metadata["help"] for o in TRAIN_OPTIONS if o.name == "budget"))]
Json = Annotated[bool, typer.Option("--json", help="Print only JSON.")]
RunFolder = Annotated[Path | None, typer.Option("-o", "--out", help="Folder of the run; else runs/NAME-1.")]
Verify = Annotated[
    Path | None, typer.Option(help="A public key (ed25519): use the model only if it is signed with its private one.")
]
