"""The JSON Schema of ``run.json``."""

from __future__ import annotations

from typing import Any

import msgspec

from sortal.record.run import PROTOCOL, RunRecord

SCHEMA_ID = "https://json-schema.org/draft/2020-12/schema"


def schema() -> dict[str, Any]:
    """The JSON Schema (2020-12) of ``run.json``, made from the dataclasses; ``run.schema.json`` is its
    committed copy.

    Every object is closed (no keys beyond the named ones) and complete (all of them required), save for
    the maps: metrics, evidence, comparison, weights and prevalence.
    """
    definitions = msgspec.json.schema(RunRecord)["$defs"]
    for name, definition in definitions.items():
        if "properties" in definition:
            definition["additionalProperties"] = False
            definition["required"] = list(definition["properties"])
            for property in definition["properties"].values():
                property.pop("default", None)
        definition["description"] = " ".join(definition["description"].replace("``", "").split(">>>")[0].split())
        definition["title"] = name
    definitions["RunRecord"]["properties"]["protocol"] = {"const": PROTOCOL}
    return {
        "$schema": SCHEMA_ID,
        "title": "run.json of sortal",
        "$ref": "#/$defs/RunRecord",
        "$defs": definitions,
    }
