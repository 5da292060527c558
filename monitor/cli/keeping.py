"""The commands that look after what is kept: the notices that are owed, backups of the store."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Annotated, Any

import typer
from pydantic import ValidationError
from rich.table import Table

from monitor.cli import ask
from monitor.cli.common import (
    DEFAULT_CONFIG,
    FINE,
    NOT_WELL,
    OUT,
    ConfigOption,
    JsonOption,
    asked,
    configured,
    mistaken,
    print_json,
)
from monitor.cli.showing import table, told
from monitor.model import NoticeState
from monitor.web.schemas import Acknowledgement


def notices(  # noqa: PLR0917 - each is an option of the command line
    dead: Annotated[bool, typer.Option("--dead", help="Only those that were given up.")] = False,
    redrive: Annotated[
        bool, typer.Option("--redrive", help="Have what was given up sent again; needs --by.")
    ] = False,
    by: Annotated[str | None, typer.Option("--by", help="Who has it sent again.")] = None,
    channel: Annotated[
        str | None, typer.Option("--channel", help="Redrive only those of this channel.")
    ] = None,
    incident: Annotated[
        int | None,
        typer.Option("--incident", min=1, max=2**63 - 1, help="Redrive only those of this one."),
    ] = None,
    config: ConfigOption = DEFAULT_CONFIG,
    as_json: JsonOption = False,
) -> None:
    """List the notices that are owed or were given up; have the latter sent again."""
    loaded = configured(config)
    if not redrive:
        if by is not None or channel is not None or incident is not None:
            mistaken("--by, --channel and --incident go with --redrive")
        found = asked(lambda: ask.notices(loaded, NoticeState.DEAD if dead else None))
        _show(found, as_json=as_json)
        return
    name = _person(by)
    done = asked(lambda: ask.redrive(loaded, name, channel=channel, number=incident))
    if as_json:
        print_json(done)
    else:
        _tell_redriven(done)
    raise typer.Exit(FINE if done["again"] else NOT_WELL)


def _show(found: Mapping[str, Any], *, as_json: bool) -> None:
    if as_json:
        print_json(found)
        return
    if found["paused_since"] is not None:
        since = told(found["paused_since"])
        OUT.print(f"The outbox is paused since {since}: `monitor restore --confirm` ends that.")
    OUT.print(notices_table(found["notices"]) if found["notices"] else "Nothing is owed.")


def notices_table(owed: Iterable[Mapping[str, Any]]) -> Table:
    """Every notice as a row."""
    rows = (
        (
            "" if notice["incident"] is None else f"#{notice['incident']}",
            notice["channel"],
            notice["action"],
            "held" if notice["held"] else notice["state"],
            f"{'until ' if notice['held'] else ''}{told(notice['due_at'])}",
            str(notice["attempts"]),
            notice["last_error"] or "",
            notice["headline"],
        )
        for notice in owed
    )
    heads = ("", "channel", "action", "state", "due", "attempts", "last error", "what")
    return table(heads, rows)


def _tell_redriven(done: Mapping[str, Any]) -> None:
    if done["again"]:
        OUT.print("To be sent again:")
        OUT.print(notices_table(done["again"]))
    else:
        OUT.print("There is nothing to send again.")
    if done["left"]:
        OUT.print("Left as they are, because the end of their alert was sent since:")
        OUT.print(notices_table(done["left"]))


def _person(by: str | None) -> str:
    """The name of the person who acts, as it is kept."""
    try:
        return Acknowledgement(by=by or "").by
    except ValidationError:
        mistaken("--by: name the person who does it, on one line of at most 100 characters")
