"""The commands that look after what is kept: the notices that are owed, backups of the store."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Annotated, Any, TypeVar

import typer
from rich.table import Table

from monitor.cli import ask, copying
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
    not_well,
    person,
    print_json,
)
from monitor.cli.showing import table, told
from monitor.clock import real_clock
from monitor.config import Config
from monitor.daemon.mind import holder_name
from monitor.model import NoticeState
from monitor.store import Spool, StoreError, back_up, look_into, put_in_place

T = TypeVar("T")


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
    name = person(by or "", "does")
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


def backup(
    file: Annotated[Path, typer.Argument(help="The file to make; it must not be there yet.")],
    config: ConfigOption = DEFAULT_CONFIG,
    as_json: JsonOption = False,
) -> None:
    """Copy the store to a file, beside the monitor that may be running, and check the copy."""
    loaded = configured(config)
    _require_sqlite(loaded.database_url, copying.dump_command(loaded.database_url, file))
    copied = _kept(lambda: back_up(loaded.database_url, file))
    spooled = len(Spool(loaded.spool).read().changes)
    if as_json:
        print_json(copying.copied_json(copied, spooled))
    else:
        OUT.print(copying.copied_text(copied, loaded.spool, spooled), markup=False)


def restore(
    file: Annotated[
        Path | None, typer.Argument(help="A backup; without one, the store that was restored.")
    ] = None,
    confirm: Annotated[
        bool, typer.Option("--confirm", help="Do it: put it in place, or let its outbox go on.")
    ] = False,
    config: ConfigOption = DEFAULT_CONFIG,
    as_json: JsonOption = False,
) -> None:
    """List what a backup would send; put it in place, paused; then let its outbox go on."""
    loaded = configured(config)
    if file is None:
        _resume(loaded, confirm=confirm, as_json=as_json)
        return
    at = real_clock().wall()
    _require_sqlite(loaded.database_url, copying.load_commands(loaded.database_url, file, at))
    if confirm:
        restored = _kept(
            lambda: put_in_place(
                loaded.database_url, file, spool=loaded.spool, at=at, holder=holder_name()
            )
        )
        held, done = restored.held, copying.placed_text(restored)
    else:
        held, done = _kept(lambda: look_into(loaded.database_url, file)), copying.UNCHANGED
    if as_json:
        print_json(copying.held_json(held, restored=confirm))
    else:
        OUT.print(copying.held_text(held), markup=False)
        if held.notices:
            OUT.print(notices_table(copying.notices_json(held)))
        OUT.print(done, markup=False)


def _resume(loaded: Config, *, confirm: bool, as_json: bool) -> None:
    """List what a paused outbox owes and, if that is confirmed, let it go on."""
    found = asked(lambda: ask.notices(loaded, None))
    if not as_json:
        _show(found, as_json=False)
    paused = found["paused_since"] is not None
    if confirm and paused:
        asked(lambda: ask.resume(loaded))
    if as_json:
        print_json({**found, "resumed": confirm and paused})
    elif not paused:
        OUT.print("The outbox is not paused.")
    elif confirm:
        OUT.print("The outbox goes on: all of this is sent that is not dead, as it falls due.")
    else:
        OUT.print(copying.UNCHANGED)


def _require_sqlite(url: str, instead: str) -> None:
    """End with the server's own commands where the store is no file."""
    if not url.startswith("sqlite"):
        mistaken(instead)


def _kept(work: Callable[[], T]) -> T:
    """What becomes of work on the store's files; where they refuse the command ends."""
    try:
        return work()
    except StoreError as error:
        not_well(str(error))
