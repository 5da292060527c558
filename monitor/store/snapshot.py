"""A checked copy of a SQLite file, beside whoever writes into it.

The copy is of one snapshot, which a read transaction holds from the first page to the last; so
whoever writes meanwhile neither waits nor makes it begin again.
"""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

from monitor.store.errors import StoreUnavailable

PAGES = 1000
"""Pages copied at a time, between which others get the disk."""


def copy_snapshot(path: Path, draft: Path) -> dict[str, int]:
    """Copy the database at `path` to `draft`, over what is there; its rows by table.

    The copy has been read through, its foreign keys checked and its rows counted against those of
    the snapshot: else StoreUnavailable. It is one file, and not synced yet.
    """
    draft.unlink(missing_ok=True)
    original = sqlite3.connect(f"{path.as_uri()}?mode=ro", uri=True, isolation_level=None)
    with closing(original) as source, closing(sqlite3.connect(draft)) as target:
        source.execute("BEGIN")
        rows = _rows(source)
        source.backup(target, pages=PAGES)
        target.execute("PRAGMA journal_mode=DELETE")
        _check(path, target, rows)
    return rows


def _check(path: Path, copy: sqlite3.Connection, rows: dict[str, int]) -> None:
    (verdict,) = copy.execute("PRAGMA integrity_check(1)").fetchone()
    if verdict != "ok":
        raise StoreUnavailable(str(path), f"its copy is damaged: {verdict}", "restore a backup")
    if copy.execute("PRAGMA foreign_key_check").fetchone() or _rows(copy) != rows:
        raise StoreUnavailable(str(path), "its copy lacks rows", "restore a backup")


def _rows(connection: sqlite3.Connection) -> dict[str, int]:
    named = "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%'"
    names = sorted(name for (name,) in connection.execute(named))
    counted = "SELECT count(*) FROM "
    return {name: connection.execute(f'{counted}"{name}"').fetchone()[0] for name in names}
