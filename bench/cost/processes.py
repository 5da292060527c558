"""Programs started for a while, and ended by their own id."""

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Mapping, Sequence
from pathlib import Path

from bench.live.pair import GaveUpError, ended


@contextlib.asynccontextmanager
async def running(
    command: Sequence[str], log: Path, environment: Mapping[str, str] | None = None
) -> AsyncIterator[asyncio.subprocess.Process]:
    """Run a program until the block ends; what it says goes into `log`."""
    with log.open("ab") as out:
        process = await asyncio.create_subprocess_exec(
            *command, env=environment, stdout=out, stderr=out
        )
    try:
        yield process
    finally:
        await ended(process)


async def until_listening(port: int, process: asyncio.subprocess.Process, log: Path) -> None:
    """Wait until something listens on a port of loopback. Raises GaveUpError."""
    gives_up = time.monotonic() + 20
    while True:
        try:
            _, writer = await asyncio.open_connection("127.0.0.1", port)
        except OSError:
            if process.returncode is not None or time.monotonic() > gives_up:
                raise GaveUpError(f"nothing listens on {port}; see {log}") from None
            await asyncio.sleep(0.05)
        else:
            writer.close()
            await writer.wait_closed()
            return
