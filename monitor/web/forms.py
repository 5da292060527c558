"""Forms on our pages: what a page with one is allowed, and how what was typed comes back."""

from __future__ import annotations

from collections.abc import Mapping
from urllib.parse import parse_qs, urlsplit

from fastapi import Request

from monitor.web.answers import PROTECTION, Refusal

FORM_HEADERS: Mapping[str, str] = {
    "Content-Security-Policy": PROTECTION["Content-Security-Policy"].replace(
        "form-action 'none'", "form-action 'self'"
    ),
    # Without any referrer a browser would not say either from which page a form was sent.
    "Referrer-Policy": "same-origin",
}
"""A page with a form may send it to this host."""

_FORM = "application/x-www-form-urlencoded"
_FIELDS_MOST = 60


async def form_fields(request: Request) -> Mapping[str, list[str]]:
    """What was typed, by field. Raises `Refusal` for what no form sends."""
    if request.headers.get("content-type", "").partition(";")[0].strip().lower() != _FORM:
        raise Refusal(415, "not_a_form", f"Send the form as {_FORM}.")
    body = (await request.body()).decode("ascii", "replace")
    try:
        return parse_qs(body, keep_blank_values=True, max_num_fields=_FIELDS_MOST)
    except ValueError:
        raise Refusal(422, "invalid_request", "The form has too many fields.") from None


def field(fields: Mapping[str, list[str]], name: str) -> str:
    """What was typed into one field; "" where it is not there."""
    return fields.get(name, [""])[0]


def from_our_page(request: Request, public_url: str) -> None:
    """Raises `Refusal` where the browser says that a form stood on a page of somebody else.

    A client that says nothing of it is let through: it is no browser that could be led astray.
    """
    site = request.headers.get("sec-fetch-site")
    origin = request.headers.get("origin")
    if site is not None:
        ours = site == "same-origin"
    elif origin is not None:
        hosts = {urlsplit(public_url).netloc, request.headers.get("host", "")}
        ours = urlsplit(origin).netloc in hosts - {""}
    else:
        ours = True
    if not ours:
        message = "This form was not sent from a page of this monitor. Open its page and try again."
        raise Refusal(403, "foreign_form", message)
