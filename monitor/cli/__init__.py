"""The `monitor` command.

Exit codes: 0 fine, 1 what was asked about is not well, 2 usage or configuration error. Every
command that answers a question takes `--json`: one JSON value on standard output, instants in
ISO 8601 and UTC. What people read goes to standard output, what went wrong to standard error.
"""

from __future__ import annotations

import asyncio
import functools
from pathlib import Path
from typing import Annotated
from zoneinfo import ZoneInfo

import typer

from monitor import __version__
from monitor.cli import acting, ask, explaining, keeping, probing, reporting, showing
from monitor.cli.common import (
    DEFAULT_CONFIG,
    ERR,
    FINE,
    MISTAKEN,
    NOT_WELL,
    OUT,
    ConfigOption,
    JsonOption,
    asked,
    configured,
    configured_for,
    mistaken,
    print_json,
    refuse,
)
from monitor.clock import real_clock
from monitor.config import ConfigError
from monitor.explaining import Mistaken
from monitor.figures import month_named
from monitor.web.explanation_shapes import ExplanationShape

__all__ = ["FINE", "MISTAKEN", "NOT_WELL", "app", "main"]

app = typer.Typer(
    name="monitor",
    help="Tells, within seconds, that a hosted service is down for everyone, and whom to wake.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)

UrlOption = Annotated[
    str | None, typer.Option(metavar="URL", help="What is watched of it; '' leaves it out.")
]


def main() -> None:
    """Run the command line."""
    app()


def _version(asked: bool) -> None:
    if asked:
        OUT.print(f"monitor {__version__}")
        raise typer.Exit(FINE)


@app.callback()
def _top(
    _version_asked: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Say which it is.")
    ] = False,
) -> None:
    """Watch hosted services, and open one incident when one is down for everyone."""


@app.command()
def run(config: ConfigOption = DEFAULT_CONFIG, as_json: JsonOption = False) -> None:
    """Monitor what the configuration names, until SIGTERM or Ctrl-C. Its log is JSON anyway."""
    from monitor.daemon import serve  # noqa: PLC0415 - the daemon's weight is only for this

    loaded = configured_for(config, as_json=as_json)
    for warning in loaded.warnings:
        ERR.print(f"warning: {warning}", markup=False)
    raise typer.Exit(serve(loaded, real_clock()))


@app.command()
def demo(as_json: JsonOption = False) -> None:
    """Play the main job on a simulated estate over real sockets; the last line is JSON.

    With --json it is the only line on standard output, and the story goes to standard error.
    """
    from monitor.demo.story import play  # noqa: PLC0415 - as above

    raise typer.Exit(play(story_to_stderr=as_json))


@app.command()
def estate(
    heartbeats: Annotated[
        str, typer.Option(help="The monitor that the estate's imports call.")
    ] = "http://127.0.0.1:8365",
    host: Annotated[
        str, typer.Option(help="The address to serve at; 0.0.0.0 in a container.")
    ] = "127.0.0.1",
) -> None:
    """Serve the simulated estate, and a receiver of pages, as the shipped checks.yaml has them."""
    from monitor.cli.standing import serve_estate  # noqa: PLC0415 - as above

    raise typer.Exit(serve_estate(host=host, heartbeats=heartbeats))


@app.command()
def init(  # noqa: PLR0917 - each is an option of the command line
    crm: UrlOption = None,
    sites: UrlOption = None,
    website: UrlOption = None,
    orders: UrlOption = None,
    tenant: Annotated[
        list[str] | None, typer.Option("--tenant", help="A name for {tenant}; repeatable.")
    ] = None,
    control: Annotated[
        list[str] | None, typer.Option("--control", help="An unrelated place; three or more.")
    ] = None,
    pager_url: Annotated[
        str, typer.Option("--pager-url", help="Where on-call is paged; else all goes to the log.")
    ] = "",
    allow_private: Annotated[
        list[str] | None,
        typer.Option("--allow-private", metavar="CIDR", help="A private network; repeatable."),
    ] = None,
    output: Annotated[Path, typer.Option("--output", help="The file to write.")] = DEFAULT_CONFIG,
    force: Annotated[bool, typer.Option("--force", help="Write over the file.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Write a first configuration of a few URLs, each probed once; asks for those not given."""
    from monitor.cli import beginning, first_file  # noqa: PLC0415 - only this command needs them

    given = {"crm": crm, "sites": sites, "website": website, "orders": orders}
    wanted = first_file.Wanted(
        {name: url.strip() for name, url in given.items() if url is not None},
        tuple(tenant or ()),
        tuple(allow_private or ()),
        tuple(control or ()),
        pager_url.strip(),
    )
    lines = ERR if as_json else OUT
    ask = beginning.somebody()
    tell = functools.partial(lines.print, markup=False)
    try:
        begun = beginning.begun(wanted, output, force=force, ask=ask, tell=tell, clock=real_clock())
    except beginning.Unwanted as error:
        mistaken(str(error))
    except ConfigError as error:
        refuse(error)
    if as_json:
        print_json(begun)


@app.command("check-config")
def check_config(
    file: Annotated[Path, typer.Argument(help="The file to check.")] = DEFAULT_CONFIG,
    as_json: JsonOption = False,
) -> None:
    """Say every mistake of a configuration, each with its place and remedy."""
    loaded = configured_for(file, as_json=as_json)
    if as_json:
        print_json({"file": str(file), "mistakes": [], "warnings": list(loaded.warnings)})
        return
    OUT.print(showing.config_summary(loaded), markup=False)
    for warning in loaded.warnings:
        OUT.print(f"warning: {warning}", markup=False)


@app.command()
def probe(
    name: Annotated[
        str, typer.Argument(help="service/check, or service/check/target, or .../vantage as well.")
    ],
    config: ConfigOption = DEFAULT_CONFIG,
    as_json: JsonOption = False,
) -> None:
    """Probe once, now, and tell what was seen; exit 0 for PASS, 1 otherwise, 2 for a mistake."""
    loaded = configured(config)
    try:
        cell = probing.cell_named(loaded.estate, name)
    except LookupError as error:
        mistaken(str(error))
    result = asyncio.run(probing.probe_once(loaded, cell))
    good = asyncio.run(probing.last_good(loaded, cell, result))
    if as_json:
        print_json(showing.result_json(cell, result, good))
    else:
        OUT.print(showing.result_text(cell, result, good), markup=False, soft_wrap=True)
    raise typer.Exit(FINE if probing.passed(result) else NOT_WELL)


@app.command("test-channel")
def try_channel(
    name: Annotated[str, typer.Argument(help="The channel, as the configuration names it.")],
    config: ConfigOption = DEFAULT_CONFIG,
    as_json: JsonOption = False,
) -> None:
    """Send a marked test and its end through one channel, and show the receiver's answers."""
    from monitor.cli import trying  # noqa: PLC0415 - only this command needs it

    loaded = configured(config)
    try:
        channel = trying.channel_named(loaded, name)
    except LookupError as error:
        mistaken(str(error))
    tries = asyncio.run(trying.tried(loaded, channel))
    if as_json:
        print_json(trying.as_json(loaded, channel, tries))
    else:
        OUT.print(trying.text(loaded, channel, tries), markup=False)
    raise typer.Exit(FINE if all(each.accepted for each in tries) else NOT_WELL)


@app.command()
def status(config: ConfigOption = DEFAULT_CONFIG, as_json: JsonOption = False) -> None:
    """Ask the running monitor how every service is; exit 1 unless all are well for certain."""
    services = asked(lambda: ask.services(configured(config)))
    if as_json:
        print_json(services)
    else:
        OUT.print(showing.services_table(services))
        for reason in services["not_ready"]:
            OUT.print(f"cannot be relied on: {reason}", markup=False)
    well = all(service["impact"] == "none" for service in services["services"])
    raise typer.Exit(FINE if well and not services["not_ready"] else NOT_WELL)


@app.command()
def incidents(
    config: ConfigOption = DEFAULT_CONFIG,
    everything: Annotated[bool, typer.Option("--all", help="Resolved ones too.")] = False,
    as_json: JsonOption = False,
) -> None:
    """List the open incidents, newest first; from the running monitor, else from its store."""
    found = asked(lambda: ask.incidents(configured(config), everything=everything))
    if as_json:
        print_json(found)
    elif found["incidents"]:
        OUT.print(showing.incidents_table(found["incidents"]))
    else:
        OUT.print("There are none." if everything else "None is open.")


for act in (
    acting.ack,
    acting.note,
    acting.silence,
    acting.unsilence,
    acting.resolve,
    acting.false_alarm,
):
    app.command()(act)


@app.command()
def explain(  # noqa: PLR0917 - each is an option of the command line
    service: Annotated[str, typer.Argument(help="The service, as named in the configuration.")],
    at: Annotated[
        str | None, typer.Option("--at", help="ISO 8601; without a zone, the calendar's; else now.")
    ] = None,
    impact: Annotated[
        str | None, typer.Option("--impact", help="all, some, degraded or unknown; else what fits.")
    ] = None,
    check: Annotated[str | None, typer.Option("--check", help="One check only.")] = None,
    tenant: Annotated[str | None, typer.Option("--tenant", help="One tenant only.")] = None,
    group: Annotated[str | None, typer.Option("--group", help="One backend group only.")] = None,
    failing: Annotated[
        str | None, typer.Option("--failing", metavar="N", help="So many of the targets.")
    ] = None,
    config: ConfigOption = DEFAULT_CONFIG,
    as_json: JsonOption = False,
) -> None:
    """Say what policy would decide of an outage at an instant, and which rule and setting did."""
    words = {
        "service": service,
        "at": at,
        "impact": impact,
        "check": check,
        "tenant": tenant,
        "group": group,
        "failing": failing,
    }
    try:
        found = explaining.explained(configured(config), words, real_clock())
    except Mistaken as error:
        mistaken(explaining.mistakes(error, words))
    if as_json:
        print_json(ExplanationShape.of(found).model_dump(mode="json"))
    else:
        OUT.print(explaining.text(found), markup=False)


@app.command()
def calendar(
    year: Annotated[int | None, typer.Option("--year", help="Which year; else this one.")] = None,
    config: ConfigOption = DEFAULT_CONFIG,
    as_json: JsonOption = False,
) -> None:
    """Print the support calendar of a year: its hours, special dates and clock changes."""
    from monitor.cli import yearly  # noqa: PLC0415 - only this command needs it

    loaded = configured(config)
    here = real_clock().wall().astimezone(ZoneInfo(loaded.calendar.zone))
    try:
        found = yearly.laid_out(loaded, here.year if year is None else year)
    except ValueError as error:
        mistaken(str(error))
    official = yearly.held_against(loaded)
    if as_json:
        print_json(yearly.as_json(found, official))
    else:
        fetched = bool(loaded.official and loaded.official.url)
        OUT.print(yearly.text(found, official, fetched=fetched), markup=False)


@app.command()
def report(
    month: Annotated[str, typer.Option("--month", help="As 2026-11, in the calendar's time zone.")],
    config: ConfigOption = DEFAULT_CONFIG,
    as_csv: Annotated[bool, typer.Option("--csv", help="Answer as CSV, a row a service.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Tell a month's figures: availability of every service, and how incidents were answered."""
    if as_csv and as_json:
        mistaken("--csv and --json: choose one of them")
    loaded = configured(config)
    try:
        named = month_named(month)
        figures = asked(lambda: ask.figures(loaded, named))
    except ValueError as error:
        mistaken(f"--month: {error}")
    if as_json:
        print_json(figures)
    elif as_csv:
        typer.echo(reporting.as_csv(figures), nl=False)
    else:
        OUT.print(reporting.as_tables(figures))


@app.command()
def replay(  # noqa: PLR0917 - each is an option of the command line
    results: Annotated[Path, typer.Argument(help="Recorded results, one JSON object a line.")],
    rules: Annotated[
        Path | None, typer.Option("--rules", help="Rules to try, as under `rules:`.")
    ] = None,
    config: Annotated[
        Path | None, typer.Option("--config", "-c", help="What was watched; else the lines say.")
    ] = None,
    store: Annotated[
        str | None, typer.Option("--store", help="Compare with this store's outages.")
    ] = None,
    incidents: Annotated[
        Path | None, typer.Option("--incidents", help="Compare with these, one a line.")
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Say what would have been declared of recorded results; exit 1 if that is not what was."""
    from monitor.cli import replaying  # noqa: PLC0415 - only this command needs it

    try:
        replayed = replaying.replayed(results, rules, config, store, incidents)
    except ConfigError as error:
        refuse(error)
    except (replaying.HistoryError, replaying.StoreError, ValueError) as error:
        mistaken(str(error))
    if as_json:
        print_json(replaying.as_json(replayed))
    else:
        OUT.print(replaying.text(replayed), markup=False)
    raise typer.Exit(NOT_WELL if replayed.differs() else FINE)


for keep in (keeping.notices, keeping.backup, keeping.restore):
    app.command()(keep)
