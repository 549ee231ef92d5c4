"""``make serve-demo``: trains on the example, serves the model, and sends rows that it never saw, then their labels.

The page of the service is filled within a minute and stays until Ctrl-C; with ``--seconds`` it ends by itself.
"""

from __future__ import annotations

import argparse
import csv
import http.client
import json
import random
import re
import signal
import subprocess
import sys
import tempfile
import time
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
EXAMPLE, TARGET, ID = ROOT / "examples" / "churn.csv", "Churn", "customerID"
HELD_OUT = 0.3
"""Of the rows, which are sent to the service and not trained on."""
PAUSE = 0.1
"""Seconds between two requests of one to ``MOST_ROWS`` rows: some 20 rows a second, which last two minutes."""
MOST_ROWS = 3
LATE = 4.0
"""Seconds after which a label comes; in earnest it takes weeks."""
SPOILT = 40
"""One of so many rows has a value that training never saw, so that a warning can be looked at."""
NUMBERS = ("tenure", "MonthlyCharges", "TotalCharges")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--budget", default="30s", help="of the training")
    parser.add_argument("--seconds", type=float, help="end so long after the service has started")
    options = parser.parse_args()
    runs = ROOT / "runs"
    runs.mkdir(exist_ok=True)
    folder = Path(tempfile.mkdtemp(prefix="serve-demo-", dir=runs))
    new = hold_out(folder)
    print(
        f"training  {EXAMPLE.name}, for {options.budget}, without {len(new):,} rows that will be asked about",
        flush=True,
    )
    model = train(folder, options.budget)
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.default_int_handler)
    try:
        with serving(model, folder) as port:
            print(
                f"look at   http://127.0.0.1:{port}/   (one row in {SPOILT} is spoilt, so that there are warnings)",
                flush=True,
            )
            n_sent, labelled = send(new, port, options.seconds)
            print(f"sent      {n_sent:,} rows and {labelled:,} labels", flush=True)
            if options.seconds is None:
                print("done      all rows are sent; the page stays until Ctrl-C", flush=True)
                signal.pause()
    except KeyboardInterrupt:
        pass
    print(f"stopped   the model, its report and the log are in {folder.relative_to(ROOT)}")


def hold_out(folder: Path) -> list[dict[str, str]]:
    """Rows that are kept from training; the others go into a file."""
    with EXAMPLE.open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    random.Random(0).shuffle(rows)
    new = rows[: round(HELD_OUT * len(rows))]
    with (folder / "train.csv").open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, rows[0])
        writer.writeheader()
        writer.writerows(rows[len(new) :])
    return new


def train(folder: Path, budget: str) -> Path:
    words = ["train", folder / "train.csv", "--target", TARGET, "--cost", "fp=1,fn=8", "--budget", budget]
    process = subprocess.run(sortal(*words, "--out", folder / "run"), capture_output=True, text=True, check=False)
    if process.returncode:
        sys.exit(process.stderr)
    print("trained   " + process.stdout.strip().splitlines()[-1].replace(str(ROOT) + "/", ""), flush=True)
    return folder / "run" / "model.sortal"


def sortal(*words: object) -> list[str]:
    return [sys.executable, "-m", "sortal.cli", *map(str, words)]


@contextmanager
def serving(model: Path, folder: Path) -> Iterator[int]:
    """A service at a free port, in a session of its own, so that Ctrl-C ends it through this process alone."""
    log = f"sqlite:///{folder / 'served.db'}"
    with (folder / "serve.log").open("w", encoding="utf-8") as log_file:
        words = sortal("serve", model, "--port", 0, "--log", log)
        service = subprocess.Popen(words, stdout=subprocess.PIPE, stderr=log_file, text=True, start_new_session=True)
    assert service.stdout is not None
    try:
        for line in service.stdout:
            match = re.search(r"http://[^:/]+:(\d+)", line)
            if match:
                port = int(match[1])
                wait_until_ready(port)
                yield port
                break
        else:
            sys.exit((folder / "serve.log").read_text("utf-8"))
    finally:
        service.terminate()
        service.wait()
        service.stdout.close()


def wait_until_ready(port: int) -> None:
    until = time.monotonic() + 60
    while True:
        try:
            ask(port, "GET", "/v2/health/live")
            return
        except OSError:
            if time.monotonic() > until:
                raise
            time.sleep(0.05)


def ask(port: int, method: str, path: str, body: Any = None) -> Any:
    """One request, whose answer has to be a good one."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    try:
        content = None if body is None else json.dumps(body)
        connection.request(method, path, content, {"content-type": "application/json"} if content else {})
        answer = connection.getresponse()
        data = answer.read()
    finally:
        connection.close()
    if answer.status != 200:
        sys.exit(f"the service answered {answer.status} to {path}: {data.decode()}")
    return json.loads(data)


def send(rows: list[dict[str, str]], port: int, seconds: float | None) -> tuple[int, int]:
    """Send each row once, and its label a little later; how many of both."""
    draw = random.Random(1)
    until = time.monotonic() + (seconds or float("inf"))
    waiting: deque[tuple[float, list[dict[str, str]]]] = deque()
    at = labelled = 0
    while at < len(rows) or waiting:
        batch = rows[at : at + draw.randint(1, MOST_ROWS)]
        if batch:
            body = {"rows": [typed(row, draw) for row in batch], "ids": [row[ID] for row in batch]}
            ask(port, "POST", "/v1/predict", body)
            at += len(batch)
            waiting.append((time.monotonic() + LATE, batch))
        if waiting and (time.monotonic() > min(waiting[0][0], until) or not batch):
            _, due = waiting.popleft()
            ask(port, "POST", "/v1/labels", {"labels": [{"id": row[ID], "label": row[TARGET]} for row in due]})
            labelled += len(due)
        if time.monotonic() > until:
            break
        time.sleep(PAUSE)
    return at, labelled


def typed(row: dict[str, str], draw: random.Random) -> dict[str, Any]:
    """A row as a program has it: numbers, texts, and nothing where the file has nothing."""
    values: dict[str, Any] = {name: value for name, value in row.items() if name not in (ID, TARGET)}
    values |= {name: float(row[name]) if row[name].strip() else None for name in NUMBERS}
    if draw.randrange(SPOILT) == 0:
        values |= draw.choice(({"tenure": 999.0}, {"Contract": "three years"}, {"MonthlyCharges": -5.0}))
    return values


if __name__ == "__main__":
    main()
