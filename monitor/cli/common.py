"""What every command shares: its options, how it reads the configuration, and its ways out."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Annotated, Any, NoReturn

import httpx
import typer
from pydantic import ValidationError
from rich.console import Console

from monitor.cli import ask, showing
from monitor.config import Config, ConfigError, load
from monitor.web.orders import Acknowledgement

OUT = Console(highlight=False, soft_wrap=True)
ERR = Console(stderr=True, highlight=False, soft_wrap=True)

FINE, NOT_WELL, MISTAKEN = 0, 1, 2

ConfigOption = Annotated[
    Path,
    typer.Option("--config", "-c", envvar="MONITOR_CONFIG", help="The configuration to use."),
]
JsonOption = Annotated[bool, typer.Option("--json", help="Answer as JSON.")]
DEFAULT_CONFIG = Path("checks.yaml")


def configured(path: Path) -> Config:
    """The configuration of a file; where it is mistaken the command ends."""
    try:
        return load(path, os.environ)
    except ConfigError as error:
        refuse(error)


def configured_for(path: Path, *, as_json: bool) -> Config:
    """As `configured`; with `as_json` the mistakes are one JSON value on standard output."""
    if not as_json:
        return configured(path)
    try:
        return load(path, os.environ)
    except ConfigError as error:
        print_json({"file": str(path), "mistakes": showing.mistakes(error)})
        raise typer.Exit(MISTAKEN) from None


def refuse(error: ConfigError) -> NoReturn:
    """End, with every mistake of a configuration."""
    for mistake in error.mistakes:
        ERR.print(str(mistake), markup=False)
    raise typer.Exit(MISTAKEN)


def mistaken(message: str) -> NoReturn:
    """End, because the command was not meant so."""
    ERR.print(message, markup=False)
    raise typer.Exit(MISTAKEN)


def not_well(message: str) -> NoReturn:
    """End, because what was asked about is not well."""
    ERR.print(message, markup=False)
    raise typer.Exit(NOT_WELL)


def asked(question: Callable[[], Mapping[str, Any]]) -> Mapping[str, Any]:
    """What the monitor answers; where it does not the command ends."""
    try:
        return question()
    except ask.Refused as error:
        not_well(str(error))
    except httpx.HTTPError as error:
        not_well(f"the monitor did not answer: {error}")


def person(by: str, does: str) -> str:
    """The name of the person who acts, as it is kept; where it is none the command ends."""
    try:
        return Acknowledgement(by=by).by
    except ValidationError:
        mistaken(f"--by: name the person who {does} it, on one line of at most 100 characters")


def print_json(value: object) -> None:
    """Write one JSON value to standard output."""
    typer.echo(json.dumps(value, indent=2, default=str))
