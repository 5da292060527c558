"""What the outbox owes and has given up, over the API; having it sent again; ending a pause."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Self

from fastapi import APIRouter, Depends, Query
from pydantic import BaseModel, ConfigDict, Field

from monitor.engine import Engine
from monitor.model import Action, NoticeState
from monitor.net.secret import Secret
from monitor.store import NOT_SENT, OwedNotice, Redriven, StaleChange, Store
from monitor.web.answers import Refusal, answers
from monitor.web.authority import authorised
from monitor.web.orders import Person
from monitor.web.schemas import Shape

MOST = 1000
"""Notices in one answer."""


class OwedShape(Shape):
    """A notice that is owed, or was given up."""

    id: str
    incident: int | None = Field(description="Number of its conversation's incident; or null")
    channel: str
    action: Action
    state: NoticeState
    held: bool = Field(description="Never tried yet: it waits for support to open, until due_at")
    due_at: datetime
    attempts: int
    last_error: str | None
    headline: str
    key: str = Field(description="The same on every attempt")

    @classmethod
    def of(cls, owed: OwedNotice) -> Self:
        """The shape of a notice."""
        notice = owed.notice
        return cls(
            id=notice.id,
            incident=owed.number,
            channel=notice.channel,
            action=notice.action,
            state=notice.state,
            held=notice.held and notice.attempts == 0,
            due_at=notice.due_at,
            attempts=notice.attempts,
            last_error=notice.last_error,
            headline=notice.message.headline,
            key=notice.key,
        )


class OutboxShape(Shape):
    """What the outbox owes."""

    paused_since: datetime | None = Field(description="Nothing goes out while this is not null")
    notices: list[OwedShape] = Field(description=f"Due longest first, at most {MOST}")


class RedriveOrder(BaseModel):
    """Which dead notices are to be sent again, and who says so."""

    model_config = ConfigDict(extra="forbid")

    by: Person
    channel: str | None = Field(default=None, description="Only those of this channel")
    incident: int | None = Field(default=None, description="Only those of this incident")


class RedrivenShape(Shape):
    """What became of dead notices."""

    again: list[OwedShape] = Field(description="Pending again, as they were before")
    left: list[OwedShape] = Field(description="Left dead: the end of their alert was sent since")

    @classmethod
    def of(cls, redriven: Redriven) -> Self:
        """The shape of an outcome."""
        again, left = map(OwedShape.of, redriven.again), map(OwedShape.of, redriven.left)
        return cls(again=list(again), left=list(left))


class Resumed(Shape):
    """An outbox that goes on."""

    paused_since: None = None


async def outbox_of(store: Store, state: NoticeState | None) -> OutboxShape:
    """What a store owes: in a state, or everything that is not sent."""
    found = await store.notices(NOT_SENT if state is None else (state,), MOST)
    return OutboxShape(
        paused_since=await store.paused_since(), notices=[OwedShape.of(each) for each in found]
    )


def router(engine: Engine, store: Store, *, api_token: Secret | None) -> APIRouter:
    """`/api/v1/notices` and below; what changes something needs the token."""
    routes = APIRouter(prefix="/api/v1/notices", tags=["api"])
    allowed = [Depends(authorised(api_token))]

    @routes.get("", summary="What is owed and what was given up", responses=answers(422, 503))
    async def read_notices(
        state: Annotated[NoticeState | None, Query(description="Only these")] = None,
    ) -> OutboxShape:
        """Everything that is not sent, unless a state is named."""
        return await outbox_of(store, state)

    @routes.post(
        "/redrive",
        summary="Have dead notices sent again",
        responses=answers(401, 403, 409, 422, 503),
        dependencies=allowed,
    )
    async def redrive(body: RedriveOrder) -> RedrivenShape:
        """Those whose alert was ended at the receiver since are left as they are."""
        try:
            redriven = await engine.redrive(body.by, channel=body.channel, number=body.incident)
        except StaleChange as error:
            raise Refusal(409, "changed", f"{error}.") from None
        return RedrivenShape.of(redriven)

    @routes.post(
        "/resume",
        summary="Let a paused outbox go on",
        responses=answers(401, 403, 503),
        dependencies=allowed,
    )
    async def resume() -> Resumed:
        """Everything that is due goes out."""
        await engine.resume_outbox()
        return Resumed()

    return routes
