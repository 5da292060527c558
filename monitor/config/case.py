"""What is examined of a configuration, and what every examination of it needs."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import NamedTuple

from monitor.config.addresses import host_mistake, url_mistake
from monitor.config.mistakes import Path
from monitor.config.reading import Findings
from monitor.config.rules import IMPOSSIBLE
from monitor.config.shape import Document
from monitor.config.spelling import Shape
from monitor.config.tree import Node
from monitor.model import Rules

ALL = "all"
"""In place of names of services: every one."""


class Case(NamedTuple):
    """What is examined: the valid part of a file, the whole of it, and what was found so far."""

    document: Document
    root: Node
    findings: Findings


def rules_of(shape: Shape, default: Rules) -> Rules:
    """The rules a section sets, over those it inherits."""
    return replace(default, **{key: getattr(shape, key) for key in shape.model_fields_set})


def near_words(name: str, known: Iterable[str]) -> str:
    """What a name may have been meant to be, to append to a sentence; "" when nothing is near."""
    near = difflib.get_close_matches(name, list(known), n=1)
    return f"; did you mean `{near[0]}`?" if near else ""


def check_url(url: str, path: Path, case: Case, schemes: Sequence[str] = ("http", "https")) -> None:
    """Note why a URL cannot be meant or may not be contacted."""
    if case.findings.under("network"):
        return
    mistake = url_mistake(url, case.document.network.allow_private, schemes)
    if mistake is not None:
        case.findings.add(path, mistake)


def check_host(host: str, path: Path, case: Case) -> None:
    """Note why a host may not be contacted."""
    if case.findings.under("network"):
        return
    mistake = host_mistake(host, case.document.network.allow_private)
    if mistake is not None:
        case.findings.add(path, mistake)


def check_inherited(shape: Shape, default: Rules, path: Path, case: Case) -> None:
    """Note what the rules of a section say that cannot be meant, with those they inherit."""
    rules, given = rules_of(shape, default), shape.model_fields_set
    for first, second, impossible, message in IMPOSSIBLE:
        key = first if first in given else second
        if key in given and impossible(rules):
            case.findings.add((*path, key), message)
