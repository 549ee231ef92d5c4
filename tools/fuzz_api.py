"""Asks a service all that its own description allows, and what it does not, by schemathesis: nothing may be a fault of
the service, and every answer has to be as described.

    python tools/fuzz_api.py SCHEMATHESIS [--examples N]    # SCHEMATHESIS: its command
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from tests.serve.every_kind import a_model
from tests.serve.process import serving

CHECKS = (
    *("not_a_server_error", "status_code_conformance", "content_type_conformance"),
    *("response_schema_conformance", "unsupported_method"),
)
"""Not that all of what the description allows is accepted: no JSON schema says what a date is in a column."""
LEFT_OUT = "/v1/admin/.*|/page/.*|/"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("schemathesis", type=Path)
    parser.add_argument("--examples", type=int, default=25)
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "every.sortal"
        a_model().save(path)
        with serving(path) as running:
            words = [
                *(str(args.schemathesis.absolute()), "run", f"http://127.0.0.1:{running.port}/openapi.json"),
                *("--checks", ",".join(CHECKS), "--exclude-path-regex", f"^({LEFT_OUT})$"),
                *("--max-examples", str(args.examples), "--seed", "0", "--no-color"),
            ]
            return subprocess.run(words, cwd=folder, check=False).returncode


if __name__ == "__main__":
    sys.exit(main())
