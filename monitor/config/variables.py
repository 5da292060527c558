"""`${NAME}` and `${NAME:-default}` in the values of a configuration.

Substitution happens after the YAML is parsed, so that no value can add structure to the file. A
value that came about this way stays recognisable as `Substituted`: only such a value may be a
secret, messages show how it was written and never what it became, and where a number is wanted
it is read as YAML reads a plain scalar. `$${` is a literal `${`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

_REFERENCE = re.compile(
    r"(?P<escaped>\$\$\{)"
    r"|\$\{(?P<name>[A-Za-z_][A-Za-z0-9_]*)(?::-(?P<default>[^}]*))?\}"
    r"|(?P<broken>\$\{[^}]*\}?)"
)


class Substituted(str):
    """A text that holds values of variables: `written` as in the file, `values` as put in."""

    __slots__ = ("values", "written")
    values: tuple[str, ...]
    written: str


def substituted(text: str, environ: Mapping[str, str]) -> str:
    """The text with its variables replaced; a `Substituted` when it had any.

    A default stands in for a variable that is unset or empty. Raises ValueError with all that is
    wrong: a variable that is unset and has no default, or a `${` that is no variable.
    """
    values: list[str] = []
    wrong: list[str] = []

    def replace(match: re.Match[str]) -> str:
        if match["escaped"]:
            return "${"
        value, mistake = _value(match, environ)
        (wrong if mistake else values).append(mistake or value)
        return value

    became = _REFERENCE.sub(replace, text)
    if wrong:
        raise ValueError("; ".join(wrong))
    return _marked(became, text, tuple(values)) if values else became


def _value(match: re.Match[str], environ: Mapping[str, str]) -> tuple[str, str]:
    name, default = match["name"], match["default"]
    if name is None:
        return "", f"`{match['broken']}` is no variable: write ${{NAME}} or ${{NAME:-default}}"
    if default is not None:
        return environ.get(name) or default, ""
    if name not in environ:
        return "", f"variable {name} is not set: set it, or write ${{{name}:-default}}"
    return environ[name], ""


def _marked(became: str, written: str, values: tuple[str, ...]) -> Substituted:
    marked = Substituted(became)
    marked.written = written
    marked.values = values
    return marked
