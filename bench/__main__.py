"""``python -m bench NAME [--data FOLDER] [--reps N] [--budget S] [--fast] [--case CASE] [--json FILE]``

Prints the table of the benchmark and a line for each goal; exits 0 where all of them hold, else 1.
"""

from __future__ import annotations

import argparse
import importlib
import json
import pkgutil
import sys
from pathlib import Path

import bench
from bench._outcome import Options, Outcome


def main() -> int:
    names = [m.name for m in pkgutil.iter_modules(bench.__path__) if not m.name.startswith("_")]
    parser = argparse.ArgumentParser(prog="python -m bench", description="Run a benchmark and check its goals.")
    parser.add_argument("name", choices=names)
    parser.add_argument("--data", type=Path, help="folder of parquet tables, with the target in their metadata")
    parser.add_argument("--reps", type=int, default=1, help="repetitions, each with another seed")
    parser.add_argument("--budget", type=float, default=60.0, help="seconds a run")
    parser.add_argument("--fast", action="store_true", help="the same code, small, within a minute")
    parser.add_argument("--case", default="", help="one case of fuzz, such as model:123, or sets by name (kinds)")
    parser.add_argument("--rows", type=int, default=20_000, help="of each table to learn from (quality, ablation)")
    parser.add_argument(
        "--peers", type=Path, help="folder of the peers' environments: ag, flaml, lama, mljar (quality)"
    )
    parser.add_argument(
        "--resume", type=Path, help="file of what is finished, to go on with (quality, ablation, honesty)"
    )
    parser.add_argument("--json", type=Path, help="file for the figures")
    args = parser.parse_args()
    module = importlib.import_module(f"bench.{args.name}")
    options = Options(**{name: value for name, value in vars(args).items() if name not in ("name", "json")})
    outcome: Outcome = module.run(options)
    print(outcome)
    if args.json:
        args.json.write_text(json.dumps(outcome.as_json(), indent=2) + "\n", encoding="utf-8")
    return 0 if outcome.holds else 1


if __name__ == "__main__":
    sys.exit(main())
