"""What is said of backups: what was copied, what one holds, what to do where a server keeps it."""

from __future__ import annotations

import shlex
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from sqlalchemy import URL, make_url
from ulid import ULID

from monitor.cli.showing import iso
from monitor.model import Incident
from monitor.store import Copied, Held, Restored
from monitor.web.notices import OwedShape

UNCHANGED = "Nothing was changed: --confirm does it."

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def copied_text(copied: Copied, spool: Path, spooled: int) -> str:
    """A copy, for people; and what is not in it."""
    rows = ", ".join(f"{count} {name}" for name, count in copied.rows.items() if count)
    said = f"{copied.path}: {copied.size:,} bytes, whole and checked: {rows}."
    if not spooled:
        return said
    return f"{said}\n{spooled} changes wait in {spool} for the store; they are not in it."


def copied_json(copied: Copied, spooled: int) -> dict[str, Any]:
    """A copy as plain values."""
    return {
        "file": str(copied.path),
        "bytes": copied.size,
        "rows": copied.rows,
        "spooled": spooled,
    }


def held_text(held: Held) -> str:
    """What a backup would bring back, short of its notices."""
    seen = f"It is of a monitor that watched until {held.seen_at:%Y-%m-%d %H:%M:%SZ}."
    open_ones = "".join(f"\n  {_said(incident)}" for incident in held.incidents)
    listed = (
        f"Open in it, to be looked at again:{open_ones}" if open_ones else "None is open in it."
    )
    count = len(held.notices)
    owed = f"It owes {count} notices:" if count else "It owes no notice."
    return f"{seen}\n{listed}\n{owed}"


def _said(incident: Incident) -> str:
    began = f"{incident.began.before:%Y-%m-%d %H:%M:%SZ}"
    return f"#{incident.number} {incident.state.value}: {incident.title}, since {began}"


def placed_text(restored: Restored) -> str:
    """That a backup is in place, and what comes next."""
    before = f"The store before it is {restored.before}. " if restored.before else ""
    return (
        f"It is in place. {before}Nothing is sent until `monitor restore --confirm`: start the "
        "monitor, see what is still down, then confirm."
    )


def held_json(held: Held, *, restored: bool) -> dict[str, Any]:
    """What a backup would bring back, as plain values."""
    return {
        "seen_at": iso(held.seen_at),
        "incidents": list(_incidents_json(held.incidents)),
        "notices": notices_json(held),
        "restored": restored,
    }


def _incidents_json(incidents: Iterable[Incident]) -> Iterable[dict[str, Any]]:
    for incident in incidents:
        yield {
            "number": incident.number,
            "state": incident.state.value,
            "title": incident.title,
            "began": iso(incident.began.before),
        }


def notices_json(held: Held) -> list[dict[str, Any]]:
    """What a backup owes, in the shape of the API."""
    return [OwedShape.of(owed).model_dump(mode="json") for owed in held.notices]


def dump_command(url: str, file: Path) -> str:
    """What makes a backup of a PostgreSQL store."""
    command = f"pg_dump --format=custom --file={_word(file)} {_word(_server(url))}"
    return f"PostgreSQL makes its own backups:\n  {command}"


def load_commands(url: str, file: Path, at: datetime) -> str:
    """What puts a backup of a PostgreSQL store in place, renamed and with a paused outbox."""
    server = _word(_server(url))
    since = (at - _EPOCH) // timedelta(microseconds=1)
    name = ULID.from_datetime(at)
    renamed = f"UPDATE instance SET instance = '{name}', paused_since = {since}"  # noqa: S608 - ours
    load = f"pg_restore --clean --if-exists --single-transaction --dbname={server} {_word(file)}"
    return (
        "PostgreSQL restores its own backups. With no monitor running:\n"
        f"  {load}\n"
        f'  psql {server} --command "{renamed}"\n'
        "Then start the monitor, see what is still down, and `monitor restore --confirm`."
    )


def _server(url: str) -> str:
    """The address as the server's programs take it, without the password."""
    own = make_url(url)
    plain = URL.create(
        "postgresql", own.username, None, own.host, own.port, own.database, own.query
    )
    return plain.render_as_string()


def _word(text: object) -> str:
    return shlex.quote(str(text))
