"""Reach into a store's database past the store, as another program would."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import psycopg


def file_of(url):
    return Path(url.removeprefix("sqlite:///"))


def execute(url, statement):
    """Run one statement in a transaction of its own; the rows, if it has any."""
    if url.startswith("postgresql"):
        with psycopg.connect(url) as connection:
            cursor = connection.execute(statement)
            return cursor.fetchall() if cursor.description else []
    with closing(sqlite3.connect(file_of(url), timeout=5)) as connection, connection:
        return connection.execute(statement).fetchall()
