"""Databases that lives begin on: made once, then emptied or copied, which is quicker."""

from __future__ import annotations

import asyncio
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Protocol

import psycopg
from alembic import command
from alembic.config import Config
from sqlalchemy import text

from monitor.clock import Clock
from monitor.store import open_store
from monitor.store.migrate import SCRIPTS
from monitor.store.place import migrating, place_of
from tests.crash.life import ESTATE
from tests.simulation import START

_AT_START = Clock(lambda: START, lambda: 0.0)


class Databases(Protocol):
    """`empty` gives the URL of a database that was never used; the one before is gone."""

    def empty(self) -> str: ...


class Files:
    """SQLite files, each in a folder of its own under `place`."""

    def __init__(self, place: Path, begin: Callable[[str], None] | None = None) -> None:
        self._place, self._made = place, 0
        self.template = place / "template"
        self.template.mkdir(parents=True)
        apart(begin or made, _url(self.template))

    def empty(self) -> str:
        shutil.rmtree(self._folder(), ignore_errors=True)
        self._made += 1
        shutil.copytree(self.template, self._folder())
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


def nothing(_url: str) -> None:
    """Make no database at all."""


def oldest(url: str) -> None:
    """Make the tables of the first release at `url`, in use: every cell has been seen to work."""
    place = place_of(url)
    config = Config()
    config.set_main_option("script_location", str(SCRIPTS))
    engine = migrating(place)
    with engine.begin() as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, "0001")
        connection.execute(
            text(
                "INSERT INTO instance (id, instance, created_at, seen_at, fence, holder, "
                "held_since) VALUES (1, '01J00000000000000000000000', 0, 0, 1, 'before', 0)"
            )
        )
        for cell in ESTATE.cells():
            connection.execute(
                text("INSERT INTO proven VALUES (:service, :check, :target, :vantage, :print)"),
                cell.key._asdict() | {"print": cell.target.fingerprint},
            )
    engine.dispose()


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
