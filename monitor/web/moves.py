"""What people do with an incident, whichever way they come: by API, page, link or another system.

The engine does it and answers once it is committed; what it refuses becomes a `Refusal` that says
why and what to do.
"""

from __future__ import annotations

from datetime import timedelta

from monitor.engine import Engine
from monitor.incident import IllegalTransition
from monitor.judge import StillFailing
from monitor.model import Incident, IncidentState
from monitor.store import Store
from monitor.web.answers import Refusal


class Moves:
    """The moves of one engine; each gives the incident as it is then, or raises `Refusal`."""

    def __init__(self, engine: Engine, store: Store) -> None:
        self._engine = engine
        self._store = store

    async def acknowledge(self, number: int, by: str) -> Incident:
        """A person takes it, accepts it, or answers the reports that joined since."""
        try:
            return await self._engine.acknowledge(number, by)
        except (KeyError, IllegalTransition):
            raise await self._taken(number) from None

    async def resolve(self, number: int, by: str, *, false_alarm: bool = False) -> Incident:
        """A person says that it is over, or never was; not while the probes see it fail."""
        try:
            return await self._engine.resolve(number, by, false_alarm=false_alarm)
        except StillFailing as failing:
            raise Refusal(409, "still_failing", f"{failing}.") from None
        except KeyError:
            raise await self._taken(number) from None

    async def note(self, number: int, by: str, text: str) -> Incident:
        """A person adds a line to its timeline, also when it is resolved."""
        try:
            return await self._engine.note(number, by, text)
        except KeyError:
            raise unknown(number) from None

    async def silence(self, number: int, by: str, reason: str, minutes: int) -> Incident:
        """Nothing is sent of it for so long, but that a person has it or that it is over."""
        try:
            return await self._engine.silence(number, by, reason, timedelta(minutes=minutes))
        except KeyError:
            raise await self._taken(number) from None

    async def end_silence(self, number: int, by: str) -> Incident:
        """It is told of again before its silence is over."""
        try:
            return await self._engine.end_silence(number, by)
        except KeyError:
            raise await self._taken(number) from None
        except IllegalTransition:
            message = f"Incident #{number} is not silenced."
            raise Refusal(409, "not_silenced", message) from None

    async def _taken(self, number: int) -> Refusal:
        record = await self._store.incident(number)
        return unknown(number) if record is None else taken(record.incident)


def unknown(number: int) -> Refusal:
    """What is answered where no incident has the number."""
    return Refusal(404, "unknown_incident", f"There is no incident #{number}.")


def taken(incident: Incident) -> Refusal:
    """Why an incident cannot be acknowledged or resolved any more."""
    if incident.state is IncidentState.RESOLVED:
        message = f"Incident #{incident.number} is resolved already."
        return Refusal(409, "already_resolved", message)
    if incident.state is IncidentState.ACKNOWLEDGED:
        message = f"Incident #{incident.number} was acknowledged by {incident.acknowledged_by}."
        return Refusal(409, "already_acknowledged", message)
    message = f"Incident #{incident.number} changed meanwhile; look at it and try again."
    return Refusal(409, "changed", message)
