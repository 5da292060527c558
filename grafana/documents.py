"""The part of docs/dashboards.md that tells of every alert, made from the rules."""

import re
from collections.abc import Iterator, Mapping
from typing import Any

from grafana.promql import FOLDER, rules

PAGE = FOLDER.parent / "docs" / "dashboards.md"
BEGINS = "<!-- made from grafana/prometheus/rules by `make dashboards` -->\n"
ENDS = "<!-- made until here -->\n"


def page() -> str:
    """The page with its alerts as the rules have them. Raises LookupError without its marks."""
    head, begins, rest = PAGE.read_text().partition(BEGINS)
    _, ends, tail = rest.partition(ENDS)
    if not (begins and ends):
        raise LookupError(f"{PAGE} has no place for the alerts: {BEGINS.strip()}")
    return "".join((head, begins, *_alerts(), "\n", ends, tail))


def _alerts() -> Iterator[str]:
    for rule in rules("alert"):
        yield f"\n### {rule['alert']}\n\n{_when(rule)}\n\n"
        yield f"**{_words(rule['annotations']['summary'])}.** "
        yield f"{_words(rule['annotations']['description'])}\n\n"
        yield f"```promql\n{rule['expr'].strip()}\n```\n"


def _when(rule: Mapping[str, Any]) -> str:
    severity = rule["labels"]["severity"]
    lasted = f"after {rule['for']}" if "for" in rule else "at once"
    return f"Severity {severity}, {lasted}."


def _words(template: str) -> str:
    """The words of an annotation; what is filled in is slanted."""
    text = re.sub(r"{{\s*\$labels\.(\w+)\s*}}", r"*\1*", template)
    return re.sub(r"{{\s*\$value[^}]*}}", "*value*", text)
