"""The shipped files as the proof uses them: the same text, but for what is named here."""

import re
import shutil
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from grafana.promql import FOLDER


@dataclass(frozen=True, slots=True)
class Replaced:
    """What stands in a shipped file, as a pattern, and what the proof puts in its place."""

    pattern: str
    by: str
    why: str


def prometheus(monitor: int, alertmanager: int) -> tuple[Replaced, ...]:
    """The replacements in prometheus.yml."""
    return (
        Replaced(r"monitor:8365", f"127.0.0.1:{monitor}", "where the monitor is"),
        Replaced(r"alertmanager:9093", f"127.0.0.1:{alertmanager}", "where Alertmanager is"),
        Replaced(r"(scrape|evaluation)_interval: 15s", r"\1_interval: 1s", "minutes are too long"),
        Replaced(r"scrape_timeout: 10s", "scrape_timeout: 1s", "not above the interval"),
    )


RULES = (
    Replaced(r"\bfor: \w+", "for: 1s", "minutes are too long"),
    Replaced(r"\binterval: 2m", "interval: 1s", "as all others"),
)


def alertmanager(receiver: int) -> tuple[Replaced, ...]:
    """The replacements in alertmanager.yml."""
    return (
        Replaced(r"estate:9121", f"127.0.0.1:{receiver}", "where the receiver is"),
        Replaced(r"group_wait: \w+", "group_wait: 1s", "minutes are too long"),
        Replaced(r"group_interval: \w+", "group_interval: 1s", "minutes are too long"),
        Replaced(r"repeat_interval: 1m", "repeat_interval: 5s", "so that the watchdog repeats"),
    )


def laid_out(folder: Path, monitor: int, alerts: int, receiver: int) -> list[str]:
    """Copy the shipped files with their replacements into a folder; tell each replacement.

    Raises LookupError when a pattern is not in its file any more: the proof would prove less than
    it says.
    """
    rules = FOLDER / "prometheus" / "rules"
    files = [(FOLDER / "prometheus" / "prometheus.yml", prometheus(monitor, alerts))]
    files += [(file, RULES) for file in sorted(rules.glob("*.yml"))]
    files += [(FOLDER / "alertmanager" / "alertmanager.yml", alertmanager(receiver))]
    (folder / "rules").mkdir()
    told: dict[tuple[str, Replaced], int] = {}
    for file, replacements in files:
        place = folder / "rules" if file.parent == rules else folder
        shutil.copy(file, place)
        text, counts = replaced(file.read_text(), replacements)
        (place / file.name).write_text(text)
        name = "rules/*.yml" if file.parent == rules else file.name
        for replacement, count in zip(replacements, counts, strict=True):
            told[name, replacement] = told.get((name, replacement), 0) + count
    if gone := [f"{name}: {each.pattern}" for (name, each), count in told.items() if not count]:
        raise LookupError(f"not found in the shipped files: {', '.join(gone)}")
    return [
        f"{name}: /{each.pattern}/ -> {each.by} ({count} times: {each.why})"
        for (name, each), count in told.items()
    ]


def replaced(text: str, replacements: Iterable[Replaced]) -> tuple[str, list[int]]:
    """A text with all replacements, and how often each was made."""
    counts = []
    for each in replacements:
        text, count = re.subn(each.pattern, each.by, text)
        counts.append(count)
    return text, counts
