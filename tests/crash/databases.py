"""Databases that lives begin on: made once, then emptied or copied, which is quicker."""

from __future__ import annotations

import asyncio
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Protocol

import psycopg

from monitor.clock import Clock
from monitor.store import open_store
from tests.simulation import START

_AT_START = Clock(lambda: START, lambda: 0.0)


class Databases(Protocol):
    """`empty` gives the URL of a database that was never used; the one before is gone."""

    def empty(self) -> str: ...


class Files:
    """SQLite files, each in a folder of its own under `place`."""

    def __init__(self, place: Path, begin: Callable[[str], None] | None = None) -> None:
        self._place, self._made = place, 0
        self._template = place / "template"
        self._template.mkdir(parents=True)
        apart(begin or made, _url(self._template))

    def empty(self) -> str:
        shutil.rmtree(self._folder(), ignore_errors=True)
        self._made += 1
        shutil.copytree(self._template, self._folder())
        return _url(self._folder())

    def _folder(self) -> Path:
        return self._place / f"life-{self._made}"


class Server:
    """One database of a PostgreSQL server, emptied for each life."""

    def __init__(self, url: str) -> None:
        self._url = url
        apart(made, url)

    def empty(self) -> str:
        with psycopg.connect(self._url, autocommit=True) as admin:
            admin.execute(
                "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity "
                "WHERE datname = current_database() AND pid <> pg_backend_pid()"
            )
            tables = admin.execute(
                "SELECT string_agg(tablename, ', ') FROM pg_tables "
                "WHERE schemaname = 'public' AND tablename <> 'alembic_version'"
            ).fetchone()
            admin.execute(f"TRUNCATE {tables[0]}")
        return self._url


def made(url: str) -> None:
    """Make the tables of this release at `url`, and leave them empty."""

    async def make() -> None:
        await (await open_store(url, clock=_AT_START, holder="nobody")).close()

    asyncio.run(make())


def apart(work: Callable[[str], None], url: str) -> None:
    """Do it in a process of its own: this one never has a thread."""
    pid = os.fork()
    if not pid:
        code = 1
        try:
            work(url)
            code = 0
        finally:
            os._exit(code)
    if os.waitpid(pid, 0)[1]:
        raise RuntimeError(f"{url} was not made")


def _url(folder: Path) -> str:
    return f"sqlite:///{folder}/monitor.db"
