"""A connection that a probe talks over by itself, in its own protocol."""

from __future__ import annotations

from monitor.net.hop import Place, secured
from monitor.net.progress import Progress
from monitor.net.tls import TlsSettings
from monitor.net.trace import Phase
from monitor.net.wire import Stage, Wire


class Connection:
    """An open connection to a vetted address, with the limits and the deadline of its probe."""

    def __init__(self, place: Place, wire: Wire, host: str, progress: Progress) -> None:
        self._place = place
        self._wire = wire
        self._host = host
        self._progress = progress

    async def secure(self, settings: TlsSettings) -> None:
        """Go over to TLS, at once or later in the conversation (STARTTLS). Raises Failure."""
        await secured(self._place, self._wire, self._host, self._progress, settings)

    async def say(self, raw: bytes, stage: Stage) -> None:
        """Send bytes, none for b"", then feed the stage until it is done. Raises Failure.

        What the stage did not need it gives back with `unused`.
        """
        self._progress.enter(Phase.PROCESSING)
        await self._wire.attend(stage, raw, lambda: self._progress.enter(Phase.TRANSFER))

    def unused(self, raw: bytes) -> None:
        """Keep what a stage did not need for the next one."""
        self._wire.give_back(raw)
