"""Texts with places in them that differ between tenants, or are known only during a probe.

`{name}` is a place; `{{name}}` is the text `{name}` itself. Any other brace is a brace, so that
JSON and PromQL need no care: `{"a": 1}` and `up{tenant="{tenant}"}` hold one place together.

Options of kinds mark such texts by their type (`Template`, `Url`), wherever they stand in them.
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Iterator, Mapping
from functools import cache
from types import MappingProxyType
from typing import Any, TypeVar, get_args, get_type_hints

from monitor.net.texts import Template, Url

Options = TypeVar("Options")
Place = tuple[str | int, ...]

_PLACE = re.compile(r"\{\{([A-Za-z][A-Za-z0-9_-]*)\}\}|\{([A-Za-z0-9_-]*)\}")


def places(text: str, *, is_url: bool = False) -> tuple[str, ...]:
    """The names of the places, in their order; in a URL `{}` and `{1}` are places too."""
    names = (match[2] for match in _PLACE.finditer(text) if match[1] is None)
    return tuple(name for name in names if is_url or name[:1].isalpha())


def filled(text: str, values: Mapping[str, str]) -> str:
    """The text with its places filled in; those without a value stay, and so do `{{name}}`."""
    return _PLACE.sub(lambda match: _value(match, values), text) if "{" in text else text


def finished(text: str, values: Mapping[str, str] = MappingProxyType({})) -> str:
    """The text as it is sent: the last values filled in, and `{{name}}` as `{name}`."""
    return _PLACE.sub(
        lambda match: f"{{{match[1]}}}" if match[1] else values.get(match[2], match[0]), text
    )


def completed(text: str, values: Mapping[str, str]) -> str:
    """The text as it is sent: filled in and finished at once, so that no value is read as text."""
    return _PLACE.sub(lambda m: f"{{{m[1]}}}" if m[1] else _value(m, values), text)


def _value(match: re.Match[str], values: Mapping[str, str]) -> str:
    return match[0] if match[1] is not None else values.get(match[2], match[0])


def templates(options: object) -> Iterator[tuple[Place, str, bool]]:
    """Every template in options: where it stands, its text, and whether it is a URL."""
    own_class: Any = type(options)
    for name, kind in _marked(own_class).items():
        yield from _found((name,), getattr(options, name), is_url=kind is Url)


def written_out(options: Options, values: Mapping[str, str]) -> Options:
    """The options with all templates filled in as far as values are known; the same if none is.

    Raises ValueError as their class does.
    """
    own_class: Any = type(options)
    changed = {}
    for name in _marked(own_class):
        value = getattr(options, name)
        new = _filled_in(value, values)
        if new != value:
            changed[name] = new
    made: Options = dataclasses.replace(options, **changed) if changed else options  # type: ignore[type-var]
    return made


def _found(place: Place, value: Any, *, is_url: bool) -> Iterator[tuple[Place, str, bool]]:
    if isinstance(value, str):
        yield place, value, is_url
    elif dataclasses.is_dataclass(value):
        yield from (((*place, *rest), text, url) for rest, text, url in templates(value))
    elif isinstance(value, Mapping):
        for key, each in value.items():
            yield from _found((*place, key), each, is_url=is_url)
    elif isinstance(value, tuple):
        for index, each in enumerate(value):
            yield from _found((*place, index), each, is_url=is_url)


def _filled_in(value: Any, values: Mapping[str, str]) -> Any:
    if isinstance(value, str):
        return filled(value, values)
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return written_out(value, values)
    if isinstance(value, Mapping):
        return {key: _filled_in(each, values) for key, each in value.items()}
    if isinstance(value, tuple):
        return tuple(_filled_in(each, values) for each in value)
    return value


@cache
def _marked(options: Any) -> dict[str, object]:
    """The fields of a class that are templates, or may hold some deeper down; by their marks."""
    if not dataclasses.is_dataclass(options):
        return {}
    hints = get_type_hints(options)
    marks = {each.name: _mark(hints[each.name]) for each in dataclasses.fields(options)}
    return {name: mark for name, mark in marks.items() if mark is not None}


def _mark(hint: Any) -> object | None:
    if hint is Template or hint is Url:
        return hint
    if isinstance(hint, type) and dataclasses.is_dataclass(hint):
        return hint if _marked(hint) else None
    return next((mark for part in get_args(hint) if (mark := _mark(part)) is not None), None)
