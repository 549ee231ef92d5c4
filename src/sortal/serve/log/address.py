"""The address of a log, and the store that is there."""

from __future__ import annotations

from sortal.core.errors import OptionError
from sortal.serve.log.sqlite import SqliteStore
from sortal.serve.log.store import LogStore


def open_store(url: str, *, make: bool = True) -> LogStore:
    """``sqlite:///served.db`` (four slashes for a path from the root) or ``postgresql://USER@HOST/DATABASE``.

    It is made where it does not exist, unless only one that is there will do. Raises OptionError for another address,
    and StoreError where it cannot be opened, is no log of ours, or one of a newer sortal.
    """
    scheme, separator, rest = url.partition("://")
    if scheme == "sqlite" and rest.startswith("/") and rest != "/":
        return SqliteStore(rest[1:], make=make)
    if scheme in ("postgresql", "postgres") and separator:
        from sortal.serve.log.postgres import PostgresStore  # psycopg is an extra

        return PostgresStore(url, make=make)
    raise OptionError("a log is kept at sqlite:///FILE.db or postgresql://USER@HOST/DATABASE; this is neither")
