"""Rows of a benchmark that is asynchronous, one after the other as they come."""

import asyncio
from collections.abc import AsyncIterator, Iterator

import uvloop


def told(rows: AsyncIterator[str]) -> Iterator[str]:
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        while (row := runner.run(anext(rows, None))) is not None:
            yield row
