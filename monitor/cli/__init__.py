"""The `monitor` command.

Exit codes: 0 fine, 1 what was asked about is not well, 2 usage or configuration error. Every
command that answers a question takes `--json`: one JSON value on standard output, instants in
ISO 8601 and UTC. What people read goes to standard output, what went wrong to standard error.
"""

from __future__ import annotations

import asyncio
import functools
import json
import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Annotated, Any, NoReturn
from zoneinfo import ZoneInfo

import httpx
import typer
from pydantic import ValidationError
from rich.console import Console

from monitor import __version__
from monitor.cli import ask, explaining, keeping, probing, reporting, showing
from monitor.clock import real_clock
from monitor.config import Config, ConfigError, load
from monitor.explaining import Mistaken
from monitor.figures import month_named
from monitor.incident import IllegalTransition
from monitor.judge import StillFailing
from monitor.web.explanation_shapes import ExplanationShape
from monitor.web.schemas import Acknowledgement

app = typer.Typer(
    name="monitor",
    help="Tells, within seconds, that a hosted service is down for everyone, and whom to wake.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)

OUT = Console(highlight=False, soft_wrap=True)
ERR = Console(stderr=True, highlight=False, soft_wrap=True)

FINE, NOT_WELL, MISTAKEN = 0, 1, 2

ConfigOption = Annotated[
    Path,
    typer.Option("--config", "-c", envvar="MONITOR_CONFIG", help="The configuration to use."),
]
JsonOption = Annotated[bool, typer.Option("--json", help="Answer as JSON.")]
UrlOption = Annotated[
    str | None, typer.Option(metavar="URL", help="What is watched of it; '' leaves it out.")
]
DEFAULT_CONFIG = Path("checks.yaml")


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

    loaded = _loaded_for(config, as_json=as_json)
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
) -> None:
    """Serve the simulated estate, and a receiver of pages, as the shipped checks.yaml has them."""
    from monitor.cli.standing import serve_estate  # noqa: PLC0415 - as above

    raise typer.Exit(serve_estate(heartbeats=heartbeats))


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
        _mistaken(str(error))
    except ConfigError as error:
        _refuse(error)
    if as_json:
        _print_json(begun)


@app.command("check-config")
def check_config(
    file: Annotated[Path, typer.Argument(help="The file to check.")] = DEFAULT_CONFIG,
    as_json: JsonOption = False,
) -> None:
    """Say every mistake of a configuration, each with its place and remedy."""
    loaded = _loaded_for(file, as_json=as_json)
    if as_json:
        _print_json({"file": str(file), "mistakes": [], "warnings": list(loaded.warnings)})
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
    loaded = _loaded(config)
    try:
        cell = probing.cell_named(loaded.estate, name)
    except LookupError as error:
        _mistaken(str(error))
    result = asyncio.run(probing.probe_once(loaded, cell))
    good = asyncio.run(probing.last_good(loaded, cell, result))
    if as_json:
        _print_json(showing.result_json(cell, result, good))
    else:
        OUT.print(showing.result_text(cell, result, good), markup=False, soft_wrap=True)
    raise typer.Exit(FINE if probing.passed(result) else NOT_WELL)


@app.command()
def status(config: ConfigOption = DEFAULT_CONFIG, as_json: JsonOption = False) -> None:
    """Ask the running monitor how every service is; exit 1 unless all are well for certain."""
    services = _asked(lambda: ask.services(_loaded(config)))
    if as_json:
        _print_json(services)
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
    found = _asked(lambda: ask.incidents(_loaded(config), everything=everything))
    if as_json:
        _print_json(found)
    elif found["incidents"]:
        OUT.print(showing.incidents_table(found["incidents"]))
    else:
        OUT.print("There are none." if everything else "None is open.")


@app.command()
def ack(
    number: Annotated[int, typer.Argument(min=1, max=2**63 - 1, help="The incident's number.")],
    by: Annotated[str, typer.Option("--by", help="Who takes it.")],
    config: ConfigOption = DEFAULT_CONFIG,
    as_json: JsonOption = False,
) -> None:
    """Acknowledge an incident, through the running monitor or, without one, in its store."""
    name = _person(by, "takes")
    loaded = _loaded(config)
    incident = _moved(number, lambda: ask.acknowledge(loaded, number, name))
    if as_json:
        _print_json(incident)
    else:
        OUT.print(f"Incident {number} acknowledged by {name}.", markup=False)


@app.command()
def resolve(
    number: Annotated[int, typer.Argument(min=1, max=2**63 - 1, help="The incident's number.")],
    by: Annotated[str, typer.Option("--by", help="Who says that it is over.")],
    false_alarm: Annotated[
        bool, typer.Option("--false-alarm", help="It never was: no fault was found.")
    ] = False,
    config: ConfigOption = DEFAULT_CONFIG,
    as_json: JsonOption = False,
) -> None:
    """Resolve an incident: one that a customer opened ends only so. Not while probes see it."""
    name = _person(by, "resolves")
    loaded = _loaded(config)
    incident = _moved(number, lambda: ask.resolve(loaded, number, name, false_alarm=false_alarm))
    if as_json:
        _print_json(incident)
    else:
        OUT.print(f"Incident {number} resolved by {name}.", markup=False)


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
        found = explaining.explained(_loaded(config), words, real_clock())
    except Mistaken as error:
        _mistaken(explaining.mistakes(error, words))
    if as_json:
        _print_json(ExplanationShape.of(found).model_dump(mode="json"))
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

    loaded = _loaded(config)
    here = real_clock().wall().astimezone(ZoneInfo(loaded.calendar.zone))
    try:
        found = yearly.laid_out(loaded, here.year if year is None else year)
    except ValueError as error:
        _mistaken(str(error))
    official = yearly.held_against(loaded)
    if as_json:
        _print_json(yearly.as_json(found, official))
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
        _mistaken("--csv and --json: choose one of them")
    loaded = _loaded(config)
    try:
        named = month_named(month)
        figures = _asked(lambda: ask.figures(loaded, named))
    except ValueError as error:
        _mistaken(f"--month: {error}")
    if as_json:
        _print_json(figures)
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
        _refuse(error)
    except (replaying.HistoryError, replaying.StoreError, ValueError) as error:
        _mistaken(str(error))
    if as_json:
        _print_json(replaying.as_json(replayed))
    else:
        OUT.print(replaying.text(replayed), markup=False)
    raise typer.Exit(NOT_WELL if replayed.differs() else FINE)


for keep in (keeping.notices, keeping.backup, keeping.restore):
    app.command()(keep)


# --------------------------------------------------------------------------- common ways out


def _loaded(path: Path) -> Config:
    try:
        return load(path, os.environ)
    except ConfigError as error:
        _refuse(error)


def _loaded_for(path: Path, *, as_json: bool) -> Config:
    """As `_loaded`; with `as_json` the mistakes are one JSON value on standard output."""
    if not as_json:
        return _loaded(path)
    try:
        return load(path, os.environ)
    except ConfigError as error:
        _print_json({"file": str(path), "mistakes": showing.mistakes(error)})
        raise typer.Exit(MISTAKEN) from None


def _refuse(error: ConfigError) -> NoReturn:
    for mistake in error.mistakes:
        ERR.print(str(mistake), markup=False)
    raise typer.Exit(MISTAKEN)


def _mistaken(message: str) -> NoReturn:
    ERR.print(message, markup=False)
    raise typer.Exit(MISTAKEN)


def _not_well(message: str) -> NoReturn:
    ERR.print(message, markup=False)
    raise typer.Exit(NOT_WELL)


def _person(by: str, does: str) -> str:
    """The name of the person who acts, as it is kept."""
    try:
        return Acknowledgement(by=by).by
    except ValidationError:
        _mistaken(f"--by: name the person who {does} it, on one line of at most 100 characters")


def _moved(number: int, move: Callable[[], Mapping[str, Any]]) -> Mapping[str, Any]:
    """The incident that a person moved, or why it cannot be."""
    try:
        return _asked(move)
    except KeyError:
        _not_well(f"there is no open incident {number}")
    except (IllegalTransition, StillFailing) as error:
        _not_well(str(error))


def _asked(question: Callable[[], Mapping[str, Any]]) -> Mapping[str, Any]:
    try:
        return question()
    except ask.Refused as error:
        _not_well(str(error))
    except httpx.HTTPError as error:
        _not_well(f"the monitor did not answer: {error}")


def _print_json(value: object) -> None:
    typer.echo(json.dumps(value, indent=2, default=str))
