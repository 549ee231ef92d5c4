"""A PostgreSQL server of one's own, from Debian's package, in a temporary folder and on a socket there."""

from __future__ import annotations

import os
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

PACKAGES = Path("/usr/lib/postgresql")
MISSING = "no PostgreSQL server is installed (Debian: apt-get install postgresql)"
USER = "postgres"
"""Who runs it where root asks, whom it refuses."""


def binaries() -> Path | None:
    """The folder of the newest server that is installed."""
    there = [path.parent for path in PACKAGES.glob("*/bin/initdb")]
    return max(there, key=lambda path: float(path.parent.name), default=None)


@dataclass(frozen=True)
class Server:
    """``folder``: new, with a short path, as those of sockets are short."""

    folder: Path
    binaries: Path

    @classmethod
    def make(cls, folder: Path) -> Server:
        """One that runs. Raises RuntimeError where none is installed."""
        programs = binaries()
        if programs is None:
            raise RuntimeError(MISSING)
        folder.chmod(0o755)
        server = cls(folder, programs)
        if os.getuid() == 0:
            shutil.chown(folder, USER)
        server._run(
            "initdb", "--pgdata", server._data, "--username", USER, "--no-sync", "--encoding=UTF8", "--locale=C"
        )
        server.start()
        return server

    @property
    def url(self) -> str:
        return f"postgresql://{USER}@/postgres?host={self.folder}"

    @property
    def _data(self) -> str:
        return str(self.folder / "data")

    def start(self) -> None:
        # What is tested is the end of our process and of the server's, not of the machine: no fsync.
        settings = f"-c listen_addresses='' -c unix_socket_directories='{self.folder}' -c fsync=off"
        log = str(self.folder / "log")
        self._run("pg_ctl", "--pgdata", self._data, "--wait", "--log", log, "--options", settings, "start")

    def stop(self, mode: str = "fast") -> None:
        self._run("pg_ctl", "--pgdata", self._data, "--wait", "--mode", mode, "stop")

    def _run(self, program: str, *arguments: str) -> None:
        as_user = ["runuser", "-u", USER, "--"] if os.getuid() == 0 else []
        command = [*as_user, str(self.binaries / program), *arguments]
        # In files, as the server keeps the pipes of who starts it open.
        with (self.folder / "said").open("w+") as output:
            process = subprocess.run(
                command, stdin=subprocess.DEVNULL, stdout=output, stderr=output, cwd="/", check=False
            )
            output.seek(0)
            if process.returncode:
                raise RuntimeError(f"{program} failed: {output.read()}")
