"""A small language to say what must hold of a JSON body.

An expression names a place and says what must hold there:

    $.status == "ok"             a value, compared with == != < <= > >=
    $.value[0].id exists         something is there, null included
    $.value[-1]["@odata.id"] exists
    $.nodes[*].state != "up"     [*]: any element of an array, or any value of an object
    length($.value) >= 1         elements of an array, members of an object, characters
    $.version =~ "^5[.]"         a string matches a regular expression (RE2); !~: it does not
    $.state in ["up", "idle"]    a value is one of these

Rules:
1. `$` is the whole body. `.name` takes letters, digits, `_`, `-` and `@`; any other name is
   written `["as a JSON string"]`. `[0]` counts from the start, `[-1]` from the end.
2. The right-hand side is a JSON string, number, true, false or null; < <= > >= take a number.
3. A place that is not there fails every comparison, != too.
4. With [*] an expression holds when it holds for at least one value found.
5. Against a number, a string that spells a JSON number counts as that number; whatever else is
   found there (a word, null, true) fails every comparison, != too. Nothing ever becomes 0.
6. Against anything else, values of different types are different.
7. =~ and !~ take a JSON string and look at strings and numbers; anything else fails both.

`parse` finds every mistake of an expression, so that a configuration can be refused for it;
`broken` never raises. A path alone, without [*], names one value: `single` returns it.
"""

from __future__ import annotations

import json
import operator
import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from monitor.probes.patterns import pattern
from monitor.probes.text import Redact, quoted

Scalar = str | int | float | bool | None
Step = str | int | None
"""A member's name, an element's index, or None for every one of them."""

_STEP = re.compile(
    r"\.(?P<name>[\w@-]+)"
    r"|\[\s*(?P<index>-?\d{1,9})\s*\]"
    r"|\[\s*(?P<quoted>\"(?:[^\"\\]|\\.)*\")\s*\]"
    r"|\[\s*(?P<every>\*)\s*\]"
)
_COMPARISON = re.compile(
    r"\s*(?P<sign>==|!=|<=|>=|=~|!~|<|>|(?<=\s)in(?=[\s\[]))\s*(?P<literal>.+)", re.DOTALL
)
_COMPARE: dict[str, Callable[[Any, Any], bool]] = {
    "==": operator.eq,
    "!=": operator.ne,
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}
_MATCHES = frozenset({"=~", "!~"})
_NUMBER = r"^-?(0|[1-9][0-9]{0,30})(\.[0-9]{1,30})?([eE][+-]?[0-9]{1,4})?$"
_SHOWN = 3


@dataclass(frozen=True, slots=True)
class Condition:
    """One parsed expression: `operand` `sign` `literal`, or `operand` exists (sign "")."""

    operand: str
    steps: tuple[Step, ...]
    length: bool
    sign: str
    literal: Scalar | tuple[Scalar, ...]

    def broken(self, document: object, redact: Redact) -> str | None:
        """None when it holds; otherwise the expression with the value found put into it."""
        found = _find(document, self.steps)
        if self.length:
            found = [len(each) for each in found if isinstance(each, list | dict | str)]
        if any(self._holds(each) for each in found):
            return None
        shown = ", ".join(quoted(each, redact) for each in found[:_SHOWN]) or "missing"
        more = ", …" if len(found) > _SHOWN else ""
        return f"{self.operand} ({shown}{more}) {self._wanted()}"

    def _holds(self, found: object) -> bool:
        if not self.sign:
            return True
        if isinstance(self.literal, tuple):
            return any(_equal(found, each) for each in self.literal)
        if self.sign in _MATCHES:
            return _matches(found, str(self.literal)) is (self.sign == "=~")
        if _is_number(self.literal):
            number = _number(found)
            return number is not None and _COMPARE[self.sign](number, self.literal)
        return _equal(found, self.literal) is (self.sign == "==")

    def _wanted(self) -> str:
        if not self.sign:
            return "exists"
        literal = list(self.literal) if isinstance(self.literal, tuple) else self.literal
        return f"{self.sign} {json.dumps(literal, ensure_ascii=False)}"


@lru_cache(maxsize=4096)
def parse(expression: str) -> Condition:
    """Parse an expression, once per text. Raises ValueError saying what is wrong with it."""
    text = expression.strip()
    length = text.startswith("length(")
    start = len("length(") if length else 0
    if not text.startswith("$", start):
        raise _mistake(expression, "a path begins with $")
    steps, end = _steps(expression, text, start + 1)
    if length:
        if not text.startswith(")", end):
            raise _mistake(expression, f"expected ) after {text[:end]}")
        end += 1
    sign, literal = _comparison(expression, text, end)
    return Condition(text[:end], steps, length, sign, literal)


@lru_cache(maxsize=4096)
def parse_path(path: str) -> tuple[Step, ...]:
    """Parse a path that names one place. Raises ValueError saying what is wrong with it."""
    text = path.strip()
    if not text.startswith("$"):
        raise _mistake(path, "a path begins with $", "path")
    steps, end = _steps(path, text, 1)
    if end < len(text):
        raise _mistake(path, f"cannot read the path from {text[end:]}", "path")
    if None in steps:
        raise _mistake(path, "[*] is more than one place", "path")
    return steps


def single(path: str, document: object) -> object:
    """Return the value at a path. Raises LookupError where nothing is."""
    found = _find(document, parse_path(path))
    if not found:
        raise LookupError(f"{path} is missing")
    return found[0]


def document_of(body: bytes) -> object:
    """Read a body as a JSON document. Raises ValueError saying why it is none (NaN is none)."""
    try:
        return json.loads(body, parse_constant=_refuse_constant)
    except RecursionError:
        raise ValueError("nested too deep") from None


def _refuse_constant(name: str) -> object:
    raise ValueError(f"{name} is not a JSON number")


def _steps(expression: str, text: str, at: int) -> tuple[tuple[Step, ...], int]:
    steps: list[Step] = []
    while at < len(text) and text[at] in ".[":
        match = _STEP.match(text, at)
        if match is None:
            raise _mistake(expression, f"cannot read the path from {text[at:]}")
        steps.append(_step(expression, match))
        at = match.end()
    return tuple(steps), at


def _step(expression: str, match: re.Match[str]) -> Step:
    if match["name"] is not None:
        return match["name"]
    if match["index"] is not None:
        return int(match["index"])
    if match["every"] is not None:
        return None
    try:
        return str(json.loads(match["quoted"]))
    except ValueError:
        raise _mistake(expression, f"{match['quoted']} is not a JSON string") from None


def _comparison(expression: str, text: str, at: int) -> tuple[str, Scalar | tuple[Scalar, ...]]:
    if text[at:].split() == ["exists"] and text[at].isspace():
        return "", None
    match = _COMPARISON.fullmatch(text, at)
    if match is None:
        wanted = "expected == != < <= > >= =~ !~ in with a value, or exists,"
        raise _mistake(expression, f"{wanted} after {text[:at]}")
    sign = match["sign"]
    if sign == "in":
        return sign, _literals(expression, match["literal"])
    literal = _literal(expression, match["literal"])
    if sign in _MATCHES:
        return sign, _expression(expression, sign, literal)
    if sign not in {"==", "!="} and not _is_number(literal):
        raise _mistake(expression, f"{sign} needs a number, not {match['literal']}")
    return sign, literal


def _literals(expression: str, text: str) -> tuple[Scalar, ...]:
    try:
        literals: object = json.loads(text, parse_constant=_refuse_constant)
    except (ValueError, RecursionError):
        literals = None
    if not isinstance(literals, list) or any(isinstance(each, list | dict) for each in literals):
        raise _mistake(expression, f"in needs an array of JSON values, not {text}")
    if not literals:
        raise _mistake(expression, "nothing is in an empty array")
    return tuple(literals)


def _expression(expression: str, sign: str, literal: Scalar) -> str:
    if not isinstance(literal, str):
        raise _mistake(expression, f"{sign} needs a regular expression in double quotes")
    try:
        pattern(literal)
    except ValueError as error:
        raise _mistake(expression, str(error)) from None
    return literal


def _literal(expression: str, text: str) -> Scalar:
    wrong = _mistake(
        expression, f"{text} is not a JSON string (in double quotes), number, true, false or null"
    )
    try:
        literal: object = json.loads(text, parse_constant=_refuse_constant)
    except (ValueError, RecursionError):
        raise wrong from None
    if literal is None or isinstance(literal, str | int | float):
        return literal
    raise wrong


def _mistake(expression: str, why: str, what: str = "condition") -> ValueError:
    return ValueError(f"JSON {what} `{expression}`: {why}")


def _find(document: object, steps: tuple[Step, ...]) -> list[object]:
    found = [document]
    for step in steps:
        found = [child for each in found for child in _children(each, step)]
    return found


def _children(parent: object, step: Step) -> list[object]:
    if isinstance(parent, dict):
        if step is None:
            return list(parent.values())
        return [parent[step]] if step in parent else []
    if isinstance(parent, list):
        if step is None:
            return parent
        if isinstance(step, int) and -len(parent) <= step < len(parent):
            return [parent[step]]
    return []


def _equal(found: object, literal: Scalar) -> bool:
    if _is_number(literal):
        return _number(found) == literal
    return type(found) is type(literal) and found == literal


def _matches(found: object, expression: str) -> bool | None:
    """Whether a string or number matches; None for anything else."""
    if _is_number(found):
        return bool(pattern(expression).search(json.dumps(found)))
    return bool(pattern(expression).search(found)) if isinstance(found, str) else None


def _is_number(found: object) -> bool:
    return isinstance(found, int | float) and not isinstance(found, bool)


def _number(found: object) -> int | float | None:
    if isinstance(found, int | float) and not isinstance(found, bool):
        return found
    if isinstance(found, str) and pattern(_NUMBER).search(found):
        return float(found)
    return None
