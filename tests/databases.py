"""Databases for tests: SQLite always, a real PostgreSQL where its server is installed.

The PostgreSQL server is started once for a run, on a free port of loopback, in a temporary
directory that goes with it; every test gets an empty database of its own. It never syncs to disk:
tests here kill the monitor, not the server.
"""

from __future__ import annotations

import itertools
import os
import shutil
import socket
import subprocess
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

import psycopg

READY = "database system is ready to accept connections"
TRIES = 3
_USER = "postgres"


def postgresql_programs() -> Path | None:
    """The directory of a PostgreSQL server's programs, None where there is none."""
    debian = Path("/usr/lib/postgresql/15/bin")
    found = shutil.which("initdb", path=f"{debian}{os.pathsep}{os.environ.get('PATH', '')}")
    return Path(found).resolve().parent if found else None


def available() -> tuple[str, ...]:
    """The databases that tests run on here."""
    return ("sqlite", "postgresql") if postgresql_programs() else ("sqlite",)


class Server:
    """A running PostgreSQL server. Its databases are emptied and lent again: 0.3 s to make one."""

    def __init__(self, port: int) -> None:
        self._address = f"postgresql://{_USER}@127.0.0.1:{port}"
        self._idle: list[str] = []
        self._made = itertools.count(1)

    @contextmanager
    def database(self) -> Iterator[str]:
        """The URL of an empty database that nobody else uses while the block lasts."""
        url = self._idle.pop() if self._idle else self._new()
        yield url
        self._empty(url)
        self._idle.append(url)

    def _new(self) -> str:
        name = f"test_{next(self._made)}"
        with psycopg.connect(f"{self._address}/postgres", autocommit=True) as admin:
            admin.execute(f"CREATE DATABASE {name} TEMPLATE template0")
        return f"{self._address}/{name}"

    def _empty(self, url: str) -> None:
        with psycopg.connect(url, autocommit=True) as admin:
            admin.execute(
                "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity "
                "WHERE datname = current_database() AND pid <> pg_backend_pid()"
            )
            admin.execute("DROP SCHEMA public CASCADE")
            admin.execute("CREATE SCHEMA public")


@contextmanager
def postgresql_server(programs: Path) -> Iterator[Server]:
    """A server for as long as the block lasts."""
    with tempfile.TemporaryDirectory(prefix="monitor-postgresql-") as place:
        directory = Path(place) / "cluster"
        if os.geteuid() == 0:
            shutil.chown(place, _USER, _USER)
        made = [programs / "initdb", "-D", directory, "-U", _USER, "-A", "trust", "--no-sync"]
        subprocess.run(
            [*_as_user(), *made, "--encoding=UTF8", "--locale=C"],
            check=True,
            stdout=subprocess.DEVNULL,
            cwd="/",
        )
        process, port = _started(programs, directory)
        try:
            yield Server(port)
        finally:
            process.send_signal(3)
            process.wait(30)


def _as_user() -> list[str]:
    """The server refuses to run as root, and should not outlive a killed test run."""
    dies_with_us = ["setpriv", "--pdeathsig", "QUIT"] if shutil.which("setpriv") else []
    if os.geteuid() != 0:
        return dies_with_us
    if not dies_with_us:
        return ["runuser", "-u", _USER, "--"]
    return [*dies_with_us, "--reuid", _USER, "--regid", _USER, "--init-groups"]


def _started(programs: Path, directory: Path) -> tuple[subprocess.Popen[str], int]:
    for _ in range(TRIES):
        # Between here and the server's start somebody else may take the port: then once more.
        port = _free_port()
        settings = {
            "listen_addresses": "127.0.0.1",
            "port": port,
            "unix_socket_directories": "",
            "fsync": "off",
            "full_page_writes": "off",
        }
        chosen = [f"--{name}={value}" for name, value in settings.items()]
        process = subprocess.Popen(
            [*_as_user(), programs / "postgres", "-D", directory, *chosen],
            stderr=subprocess.PIPE,
            text=True,
            cwd="/",
        )
        if _ready(process.stderr):
            return process, port
        process.wait(30)
    raise RuntimeError("PostgreSQL did not start")


def _ready(log: IO[str]) -> bool:
    """Read the server's log until it is ready; False when it ended first."""
    for line in log:
        if READY in line:
            threading.Thread(target=log.read, daemon=True).start()
            return True
    return False


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]
