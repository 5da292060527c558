"""What a person does with an incident, through the running monitor or, without one, in its store.

A name, a note and a reason are what the API takes: each is told how it was meant.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Annotated, Any

import typer
from pydantic import ValidationError

from monitor.cli import ask
from monitor.cli.common import (
    DEFAULT_CONFIG,
    OUT,
    ConfigOption,
    JsonOption,
    asked,
    configured,
    mistaken,
    not_well,
    person,
    print_json,
)
from monitor.cli.showing import told
from monitor.config.spelling import seconds
from monitor.incident import IllegalTransition
from monitor.judge import StillFailing
from monitor.web.orders import (
    NOTE_MOST,
    REASON_MOST,
    SILENCE_MOST,
    Note,
    SilenceOrder,
)

Number = Annotated[int, typer.Argument(min=1, max=2**63 - 1, help="The incident's number.")]


def ack(
    number: Number,
    by: Annotated[str, typer.Option("--by", help="Who takes it.")],
    config: ConfigOption = DEFAULT_CONFIG,
    as_json: JsonOption = False,
) -> None:
    """Acknowledge an incident, through the running monitor or, without one, in its store."""
    name = person(by, "takes")
    found = configured(config)
    incident = _moved(number, lambda: ask.acknowledge(found, number, name))
    _told(incident, f"Incident {number} acknowledged by {name}.", as_json=as_json)


def note(
    number: Number,
    text: Annotated[str, typer.Argument(help="What to add; '-' reads it from standard input.")],
    by: Annotated[str, typer.Option("--by", help="Who says so.")],
    config: ConfigOption = DEFAULT_CONFIG,
    as_json: JsonOption = False,
) -> None:
    """Add a line to an incident's timeline, also to that of a resolved one. Nobody is sent it."""
    name = person(by, "notes")
    said = typer.get_text_stream("stdin").read() if text == "-" else text
    try:
        order = Note(by=name, text=said)
    except ValidationError:
        mistaken(f"TEXT: write 1 to {NOTE_MOST} characters")
    found = configured(config)
    try:
        incident = asked(lambda: ask.note(found, number, name, order.text))
    except KeyError:
        not_well(f"there is no incident {number}")
    _told(incident, f"Noted on incident {number} by {name}.", as_json=as_json)


def silence(  # noqa: PLR0917 - each is an option of the command line
    number: Number,
    lasts: Annotated[
        str, typer.Option("--for", metavar="DURATION", help="For how long, such as 2h; at most 8h.")
    ],
    by: Annotated[str, typer.Option("--by", help="Who wants it silent.")],
    reason: Annotated[str, typer.Option("--reason", help="Why, for whoever wonders.")],
    config: ConfigOption = DEFAULT_CONFIG,
    as_json: JsonOption = False,
) -> None:
    """Have nothing sent of an incident for a while, but that it is over or gets wider."""
    name = person(by, "silences")
    minutes = _minutes(lasts)
    try:
        order = SilenceOrder(by=name, reason=reason, minutes=minutes)
    except ValidationError:
        mistaken(f"--reason: write why, on one line of at most {REASON_MOST} characters")
    found = configured(config)
    incident = _moved(number, lambda: ask.silence(found, number, name, order.reason, minutes))
    until = told(incident["silenced"]["until"])
    _told(incident, f"Incident {number} silenced by {name} until {until}.", as_json=as_json)


def unsilence(
    number: Number,
    by: Annotated[str, typer.Option("--by", help="Who ends the silence.")],
    config: ConfigOption = DEFAULT_CONFIG,
    as_json: JsonOption = False,
) -> None:
    """End the silence of an incident before its time: what was not sent is told."""
    name = person(by, "ends")
    found = configured(config)
    incident = _moved(number, lambda: ask.end_silence(found, number, name))
    _told(incident, f"Incident {number} is told of again, by {name}.", as_json=as_json)


def resolve(
    number: Number,
    by: Annotated[str, typer.Option("--by", help="Who says that it is over.")],
    false_alarm: Annotated[
        bool, typer.Option("--false-alarm", help="It never was: no fault was found.")
    ] = False,
    config: ConfigOption = DEFAULT_CONFIG,
    as_json: JsonOption = False,
) -> None:
    """Resolve an incident: one that a customer opened ends only so. Not while probes see it."""
    name = person(by, "resolves")
    found = configured(config)
    incident = _moved(number, lambda: ask.resolve(found, number, name, false_alarm=false_alarm))
    _told(incident, f"Incident {number} resolved by {name}.", as_json=as_json)


def false_alarm(
    number: Number,
    by: Annotated[str, typer.Option("--by", help="Who found no fault.")],
    config: ConfigOption = DEFAULT_CONFIG,
    as_json: JsonOption = False,
) -> None:
    """Resolve an incident that never was one; it is counted. Not while probes see it."""
    name = person(by, "resolves")
    found = configured(config)
    incident = _moved(number, lambda: ask.resolve(found, number, name, false_alarm=True))
    _told(incident, f"Incident {number} was a false alarm, says {name}.", as_json=as_json)


def _told(incident: Mapping[str, Any], text: str, *, as_json: bool) -> None:
    if as_json:
        print_json(incident)
    else:
        OUT.print(text, markup=False)


def _minutes(lasts: str) -> int:
    """A duration in whole minutes, rounded up."""
    try:
        minutes = math.ceil(seconds(float(lasts) if lasts.isdecimal() else lasts) / 60)
    except ValueError as error:
        mistaken(f"--for: {error}")
    if minutes > SILENCE_MOST:
        mistaken("--for: at most 8h; silence it again when that is over")
    return minutes


def _moved(number: int, move: Callable[[], Mapping[str, Any]]) -> Mapping[str, Any]:
    """The incident that a person moved, or why it cannot be."""
    try:
        return asked(move)
    except KeyError:
        not_well(f"there is no open incident {number}")
    except (IllegalTransition, StillFailing) as error:
        not_well(str(error))
