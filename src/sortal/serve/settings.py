"""What a service is told when it starts, checked: the address, the token, the files."""

from __future__ import annotations

import ipaddress
import os
import socket
import stat
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, get_args

from sortal.core.errors import OptionError

Level = Literal["debug", "info", "warning", "error"]
LEVELS: tuple[str, ...] = get_args(Level)
NO_LOG = "none"
USUAL_LOG = "sqlite:///served.db"
SHORTEST_TOKEN = 16
"""Letters: 64 bits where they are hexadecimal, which nobody guesses over a network."""
MOST_TOKEN_BYTES = 4096
DAY = 86_400.0


@dataclass(frozen=True, kw_only=True)
class Settings:
    """``log``: the URL of the log, None for none. ``retention``: seconds that it is kept, None for ever. ``export``: a
    folder for its daily Parquet files. ``redact``: columns that it must not hold. ``verify``: a public key that every
    model must be signed for. Every worker gets them, so they are plain data.
    """

    model: Path
    host: str = "127.0.0.1"
    port: int = 8000
    log: str | None = USUAL_LOG
    token: str | None = None
    workers: int = 1
    shadow: Path | None = None
    redact: tuple[str, ...] = ()
    retention: float | None = None
    export: Path | None = None
    verify: Path | None = None
    level: Level = "info"


def read_token(file: Path) -> str:
    """The token in a file, without the end of its line. Raises OptionError where there is none that will do."""
    try:
        with file.open("rb") as stream:
            content = stream.read(MOST_TOKEN_BYTES)
    except OSError as error:
        raise OptionError(f"the token file {str(file)!r} cannot be read: {error.strerror}") from None
    token = content.decode("latin-1").strip()
    if len(token) < SHORTEST_TOKEN or not token.isascii() or not token.isprintable() or " " in token:
        raise OptionError(
            f"the token in {str(file)!r} is none that will do: it has to be one line of at least {SHORTEST_TOKEN} "
            f"plain letters; make one: openssl rand -hex 32 > {file.name}; chmod 600 {file.name}"
        )
    return token


def is_open_to_all(file: Path) -> bool:
    """Whether every user of the machine may read a file."""
    return sys.platform != "win32" and bool(stat.S_IMODE(file.stat().st_mode) & stat.S_IROTH)


def numeric_host(host: str, token: str | None) -> str:
    """The address that a host name stands for. Raises OptionError where there is none, and for an address that others
    reach while nothing asks them for a token.
    """
    try:
        address = str(socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)[0][4][0])
    except (OSError, UnicodeError):
        raise OptionError(f"--host {host!r} is no address of this machine; the usual one is 127.0.0.1") from None
    if token is None and not ipaddress.ip_address(address.partition("%")[0]).is_loopback:
        raise OptionError(
            f"--host {host} can be reached from other machines, and without a token anybody could ask and label; "
            "give --token-file FILE, or leave --host out"
        )
    return address


def free_port(address: str, port: int) -> int:
    """The port, or any free one for 0. Raises OptionError where it cannot be listened at."""
    with bound_socket(address, port) as probe:
        return int(probe.getsockname()[1])


def bound_socket(address: str, port: int) -> socket.socket:
    """A socket at a port, which nothing listens at yet. Raises OptionError where that cannot be."""
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    # By its protocol asyncio knows that answers are to be sent at once: else they wait for 40 ms (TCP_NODELAY).
    listener = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    try:
        if os.name == "posix":  # connections of a service that has just ended do not count
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((address, port))
    except OSError as error:
        listener.close()
        raise OptionError(
            f"cannot listen at {address}, port {port}: {(error.strerror or str(error)).lower()}; "
            "choose another --port, or 0 for any free one"
        ) from None
    return listener


def parse_retention(text: str | None) -> float | None:
    """Seconds of a time such as ``"90d"`` or ``"12h"``.

    >>> parse_retention("90d"), parse_retention("12h"), parse_retention(None)
    (7776000.0, 43200.0, None)
    """
    if text is None:
        return None
    number, unit = text.strip()[:-1], text.strip()[-1:].lower()
    seconds = {"h": 3600.0, "d": DAY, "w": 7 * DAY}.get(unit)
    if seconds is None or not number.isdigit() or int(number) == 0:
        raise OptionError(f"--retention {text!r} is no time that a log is kept; write for example 90d, 12h or 4w")
    return int(number) * seconds
