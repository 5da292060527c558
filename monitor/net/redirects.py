"""Where an answer sends a request on to, and what goes along.

A redirect leads to http or https only, and never from https to http. Its method and body are
those every client sends (303 asks with GET; 301 and 302 turn a POST into a GET). To another
origin only headers that cannot carry credentials go along, and no body. Cookies set on the way
are sent on where their domain and path allow it.
"""

from __future__ import annotations

import re

import httpx

from monitor.model import FailureKind
from monitor.net.answer import REDIRECTS
from monitor.net.failure import Failure, shown

_HARMLESS = frozenset(
    {"accept", "accept-charset", "accept-encoding", "accept-language", "cache-control"}
    | {"content-type", "pragma", "user-agent"}
)
_LONGEST = 8192
_HOSTLESS = re.compile(r"https?:(?!//[^/?#])", re.IGNORECASE)  # readers differ on what that means
_OF_BODY = frozenset({"content-length", "content-type", "content-encoding", "transfer-encoding"})


def is_redirect(response: httpx.Response) -> bool:
    """Whether the answer says to ask elsewhere."""
    return response.status_code in REDIRECTS and "location" in response.headers


def next_request(response: httpx.Response, cookies: httpx.Cookies) -> httpx.Request:
    """Make the request that a redirect asks for; its cookies are added to `cookies`.

    Raises Failure(PROTOCOL) where it may not be followed.
    """
    request = response.request
    url = _location(response)
    same_origin = origin(url) == origin(request.url)
    method = _method(response.status_code, request.method)
    body = request.content if method == request.method else b""
    if body and not same_origin:
        raise _refused("another origin along with the request's body", url)
    headers = [
        (name, value)
        for name, value in request.headers.multi_items()
        if name != "host" and (same_origin or name in _HARMLESS) and (name not in _OF_BODY or body)
    ]
    asked = httpx.Request(method, url, headers=headers, content=body or None)
    cookies.extract_cookies(response)
    _add_cookies(asked, cookies)
    return asked


def origin(url: httpx.URL) -> tuple[str, str, int]:
    """Return what two URLs must share to be of one origin."""
    return url.scheme, url.host, url.port or {"http": 80, "https": 443}[url.scheme]


def _location(response: httpx.Response) -> httpx.URL:
    location, *others = dict.fromkeys(response.headers.get_list("location"))
    if others:
        message = f'the redirect leads to two places: "{shown(location)}", "{shown(others[0])}"'
        raise Failure(FailureKind.PROTOCOL, message)
    if len(location) > _LONGEST:
        message = f"the redirect leads to a URL of more than {_LONGEST} characters"
        raise Failure(FailureKind.PROTOCOL, message)
    if _HOSTLESS.match(location):
        raise Failure(FailureKind.PROTOCOL, f'the redirect leads to no host: "{shown(location)}"')
    try:
        url = response.request.url.join(location).copy_with(userinfo=b"", fragment=None)
        host = url.host  # decodes an internationalised name, which may be none
    except (httpx.InvalidURL, ValueError) as error:
        message = f'the redirect leads to no URL: "{shown(location)}"'
        raise Failure(FailureKind.PROTOCOL, message) from error
    if url.scheme not in ("http", "https") or not host:
        raise _refused("neither http nor https", url)
    if url.scheme == "http" and response.request.url.scheme == "https":
        raise _refused("http from https", url)
    return url


def _refused(why: str, url: httpx.URL) -> Failure:
    return Failure(FailureKind.PROTOCOL, f"the redirect leads to {why}: {shown(str(url))}")


def _method(status: int, method: str) -> str:
    to_get = (status == 303 and method != "HEAD") or (status in (301, 302) and method == "POST")
    return "GET" if to_get else method


def _add_cookies(request: httpx.Request, cookies: httpx.Cookies) -> None:
    """Add what was set on the way to what the request sends anyway."""
    own = request.headers.pop("cookie", "")
    cookies.set_cookie_header(request)
    both = "; ".join(each for each in (own, request.headers.get("cookie", "")) if each)
    if both:
        request.headers["cookie"] = both
