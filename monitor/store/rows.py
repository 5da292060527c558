"""Nouns as rows, and rows as nouns.

A `Form` knows which fields of a noun are columns; all others go into `body` as JSON. Nothing is
written twice, so an update of a column (as the outbox makes) is an update of the noun.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Any, Generic, TypeVar

from pydantic import TypeAdapter
from pydantic_core import from_json
from sqlalchemy import Row

from monitor.model import (
    CellKey,
    Digest,
    Incident,
    Notice,
    Outage,
    Outcome,
    Report,
    Result,
    TimelineEvent,
    Unobserved,
)

Noun = TypeVar("Noun")
Values = dict[str, Any]


class Form(Generic[Noun]):
    """How one kind of noun is written: `columns` as they are, the rest as JSON, if any.

    A field named `apart` is left out, for the caller to write.
    """

    def __init__(
        self, noun: type[Noun], *columns: str, apart: str | None = None, body: bool = True
    ) -> None:
        self._adapter = TypeAdapter(noun)
        self._columns = columns
        self._outside_body = {*columns, *([apart] if apart else [])}
        self._body = body

    def row(self, noun: Noun) -> Values:
        """The columns of `noun`, and its body."""
        values = {name: _plain(getattr(noun, name)) for name in self._columns}
        if self._body:
            body = self._adapter.dump_json(noun, exclude=self._outside_body)
            values["body"] = body.decode()
        return values

    def noun(self, row: Row[Any], **others: object) -> Noun:
        """The noun that was written as `row`, with `others` for what was written apart."""
        body = from_json(row.body) if self._body else {}
        columns = {name: row._mapping[name] for name in self._columns}  # noqa: SLF001 - its public name
        return self._adapter.validate_python(body | columns | others)


def _plain(value: object) -> object:
    return value.value if isinstance(value, StrEnum) else value


INCIDENTS = Form(
    Incident,
    "id",
    "number",
    "subject",
    "service",
    "state",
    "priority",
    "version",
    "detected_at",
    "reported_at",
    "resolved_at",
)
EVENTS = Form(TimelineEvent, "incident_id", "at", "actor", "kind", "text", body=False)
EVIDENCE_RESULTS = Form(Result, "id", "observed_at")
NOTICES = Form(
    Notice,
    "id",
    "incident_id",
    "channel",
    "action",
    "seq",
    "key",
    "created_at",
    "due_at",
    "held",
    "state",
    "attempts",
    "lease_until",
    "sent_at",
    "remote_id",
    "last_error",
)
DIGESTS = Form(Digest, "opening")
REPORTS = Form(Report, "reference", "tenant", "key", "reported_at", "settled_at")
OUTAGES = Form(Outage, "id", "unit", "service", "detected_at", "closed_at")
UNOBSERVED_SPANS = Form(Unobserved, "id", "since", "until", "why", body=False)
_RESULTS = Form(Result, "id", "outcome", "observed_at", apart="cell")


def result_row(result: Result) -> Values:
    """The row of a result, its cell in four columns."""
    return _RESULTS.row(result) | result.cell._asdict()


def result_of(row: Row[Any]) -> Result:
    """The result that was written as `row`."""
    return _RESULTS.noun(row, cell=CellKey(row.service, row.check, row.target, row.vantage))


def seen_of(row: Row[Any]) -> Result:
    """The result of `row`, but a PASS without its phases and evidence: that is much faster."""
    id_, service, check, target, vantage, outcome, observed_at, body = tuple(row)
    if outcome != Outcome.PASS:
        return result_of(row)
    rest = from_json(body)
    return Result(
        id=id_,
        cell=CellKey(service, check, target, vantage),
        fingerprint=rest["fingerprint"],
        sent_mono=rest["sent_mono"],
        observed_mono=rest["observed_mono"],
        observed_at=observed_at,
        outcome=Outcome.PASS,
    )
