"""The store: the only place that talks to the database, and the only one that holds the truth.

Theory of operation
- A `Change` is written whole or not at all, and is on disk when `commit` returns. Nothing is sent
  before; what is to be sent is among the rows (`outbox.py`).
- One process holds the store, by a lock (`lock.py`) and by a fence, a number that grows with every
  holder. Each transaction that writes asks first whether its fence is still the latest, so a
  holder that lost its lock unawares writes nothing more.
- One thread with one connection writes; its queue is the order of things. Reads go on beside it
  in a few threads, each on one snapshot, and cannot write (`place.py`).
- A change of state is an update conditional on what it was made of. Who loses a race is told
  (StaleChange, DuplicateIncident) and reads again; nothing is merged.
- Tables (`tables.py`) are kept apart from nouns; `rows.py` turns one into the other, without loss.
  `migrate.py` brings an older database up to the tables of this release.
- Results are summed up and grow old in one background job (`remembering.py`): what is counted from
  where to where (`summing.py`), how sums are packed (`sums.py`), what is written (`keeping.py`) and
  what is read back (`recall.py`).
- While the database cannot be written, changes go to a file beside it (`spool.py`), and are
  committed from there.
- SQLite and PostgreSQL run through the same statements (`writes.py`, `outbox.py`, `reads.py`).

Text within nouns must be encodable as UTF-8; what names things (ids, services, channels, keys)
must not contain NUL, which PostgreSQL cannot hold. Errors and timeline texts may contain anything.
"""

from __future__ import annotations

from monitor.store.copies import Copied, Held, Restored, back_up, look_into, put_in_place
from monitor.store.errors import (
    DuplicateIncident,
    StaleChange,
    StoreError,
    StoreHeld,
    StoreTooNew,
    StoreUnavailable,
)
from monitor.store.opening import open_reader, open_store
from monitor.store.owing import NOT_SENT, OwedNotice, Redriven
from monitor.store.reads import IncidentRecord, OutboxFigures, Period
from monitor.store.recall import Standing
from monitor.store.remembering import Keep, Remembering
from monitor.store.spool import Sent, Spool
from monitor.store.store import Store

__all__ = [
    "NOT_SENT",
    "Copied",
    "DuplicateIncident",
    "Held",
    "IncidentRecord",
    "Keep",
    "OutboxFigures",
    "OwedNotice",
    "Period",
    "Redriven",
    "Remembering",
    "Restored",
    "Sent",
    "Spool",
    "StaleChange",
    "Standing",
    "Store",
    "StoreError",
    "StoreHeld",
    "StoreTooNew",
    "StoreUnavailable",
    "back_up",
    "look_into",
    "open_reader",
    "open_store",
    "put_in_place",
]
