"""Both stores, each as users have it: a file, and a real server."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from uuid import uuid4

import pytest

from bench import _postgres
from sortal.serve.log.address import open_store
from sortal.serve.log.store import LogStore


@pytest.fixture(scope="session")
def postgres() -> Iterator[_postgres.Server]:
    """A server that runs while tests do. Where none is installed, what needs it is skipped, but not in CI."""
    if _postgres.binaries() is None:
        if "CI" in os.environ:
            pytest.fail(_postgres.MISSING)
        pytest.skip(_postgres.MISSING)
    with tempfile.TemporaryDirectory(prefix="pg", dir="/tmp") as folder:
        server = _postgres.Server.make(Path(folder))
        yield server
        server.stop("immediate")


@pytest.fixture
def postgres_url(postgres: _postgres.Server) -> str:
    """A new log in a schema of its own."""
    import psycopg

    name = f"s{uuid4().hex}"
    with psycopg.connect(postgres.url, autocommit=True) as connection:
        connection.execute(f"CREATE SCHEMA {name}")  # type: ignore[arg-type]
    return f"{postgres.url}&options=-csearch_path%3D{name}"


@pytest.fixture(params=["sqlite", "postgres"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The address of a new log."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path}/served.db"
    address: str = request.getfixturevalue("postgres_url")
    return address


@pytest.fixture
def open_log() -> Iterator[Callable[[str], LogStore]]:
    """``open_store``, and closed when the test ends."""
    stores: list[LogStore] = []

    def open_and_keep(url: str) -> LogStore:
        stores.append(open_store(url))
        return stores[-1]

    yield open_and_keep
    for store in stores:
        store.close()


@pytest.fixture
def store(url: str, open_log: Callable[[str], LogStore]) -> LogStore:
    return open_log(url)
