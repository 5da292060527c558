"""Values taken from one answer and put into the next request.

`Capture` says where in an answer a value is, `found_in` takes it from there, and `filled_in` writes
values into a body in the spelling that its form needs.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from urllib.parse import quote_plus

import httpx

from monitor.probes import jsonpath
from monitor.probes.assertions import mistakes, raise_all
from monitor.probes.patterns import captured, with_one_group
from monitor.probes.templates import completed
from monitor.probes.text import decoded

_VALUE_CHARS = 4096


@dataclass(frozen=True, slots=True)
class Capture:
    """Where in an answer a value is found: one of these. Raises ValueError for others.

    json: a path into the body, in the language of `monitor.probes.jsonpath`, without [*].
    header: a header's name; where it leads (Location) is captured as a whole URL.
    match: a regular expression (RE2) with one group, found in the body.
    """

    json: str | None = None
    header: str | None = None
    match: str | None = None

    def __post_init__(self) -> None:
        given = [each for each in (self.json, self.header, self.match) if each is not None]
        raise_all(
            *([] if len(given) == 1 else ["give one of json, header and match"]),
            *mistakes("json", jsonpath.parse_path, filter(None, (self.json,))),
            *mistakes("match", with_one_group, filter(None, (self.match,))),
        )


def found_in(response: httpx.Response, capture: Capture) -> str:
    """Return the value that an answer holds. Raises LookupError saying why it holds none."""
    way = next(way for way in _WAYS if getattr(capture, way) is not None)
    return _spelled(_WAYS[way](capture, response))


def filled_in(body: str, values: Mapping[str, str], content_type: str) -> str:
    """Return a body as it is sent, with its places filled in; those without a value stay."""
    spelled = _SPELLINGS[_form_of(content_type)]
    return completed(body, {name: spelled(value) for name, value in values.items()})


def body_text(response: httpx.Response) -> str:
    """Return the body of an answer as text."""
    return decoded(response.content, response.headers.get("content-type", ""))


def _in_json(capture: Capture, response: httpx.Response) -> object:
    try:
        document = jsonpath.document_of(response.content)
    except ValueError:
        raise LookupError("the body is not JSON") from None
    return jsonpath.single(capture.json or "$", document)


def _in_headers(capture: Capture, response: httpx.Response) -> object:
    name = capture.header or ""
    value = response.headers.get(name)
    if value is None:
        raise LookupError(f"header {name} is missing")
    if name.lower() not in {"location", "content-location"}:
        return value
    try:
        return str(response.request.url.join(value))
    except httpx.InvalidURL:
        raise LookupError(f"header {name} is no URL") from None


def _in_text(capture: Capture, response: httpx.Response) -> object:
    value = captured(capture.match or "", body_text(response))
    if value is None:
        raise LookupError(f'body does not match "{capture.match}"')
    return value


_WAYS: Mapping[str, Callable[[Capture, httpx.Response], object]] = {
    "json": _in_json,
    "header": _in_headers,
    "match": _in_text,
}


def _spelled(found: object) -> str:
    """Spell what was found as a text to fill in. Raises LookupError where it cannot be one."""
    if found is None or isinstance(found, dict | list):
        raise LookupError("it is no text and no number")
    text = found if isinstance(found, str) else json.dumps(found)
    if not text or len(text) > _VALUE_CHARS or not text.isprintable():
        raise LookupError(f"it is not 1 to {_VALUE_CHARS} printable characters")
    return text


def _form_of(content_type: str) -> str:
    media = content_type.partition(";")[0].strip().lower()
    if media.endswith("json"):
        return "json"
    return "form" if media == "application/x-www-form-urlencoded" else ""


_SPELLINGS: Mapping[str, Callable[[str], str]] = {
    "json": lambda value: json.dumps(value)[1:-1],
    "form": quote_plus,
    "": lambda value: value,
}
"""How a value is spelled in a body, by the form of the body."""
