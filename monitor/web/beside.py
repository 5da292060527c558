"""Long answers for programs, made and written in a thread: the event loop has more to do."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import ParamSpec

from fastapi import Response
from pydantic import BaseModel

P = ParamSpec("P")


async def in_thread(make: Callable[P, BaseModel], *args: P.args, **kwargs: P.kwargs) -> Response:
    """The answer whose shape a function makes, as JSON; an operation says it as response_model."""

    def written() -> str:
        return make(*args, **kwargs).model_dump_json()

    return Response(await asyncio.to_thread(written), media_type="application/json")
