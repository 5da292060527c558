"""What a process that takes a store is called, and the mind that it makes for it."""

from __future__ import annotations

import os
import socket
from datetime import datetime

from ulid import ULID

from monitor import detection
from monitor.config import Config
from monitor.judge import Mind
from monitor.model import CellKey
from monitor.store import Store


def holder_name() -> str:
    """This process, as whoever finds the store taken reads it."""
    return f"process {os.getpid()} on {socket.gethostname()}"


def mind_of(config: Config, store: Store, worked: frozenset[tuple[CellKey, str]]) -> Mind:
    """A mind of a configuration and a store, which holds nothing open yet."""
    return Mind(
        estate=config.estate,
        calendar=config.calendar,
        policy=config.policy,
        channels=config.channels,
        instance=store.instance,
        public_url=config.public_url,
        mint=new_ulid,
        detection=detection.new_state(config.estate, worked=worked),
        desk=config.reports.desk,
    )


def new_ulid(at: datetime) -> str:
    """A new ULID of an instant."""
    return str(ULID.from_datetime(at))
