"""The services of the simulated estate, healthy: what they answer when no fault hits.

Each service is a table of routes. A route is the path below `/{tenant}/`, where "*" stands for
one segment that the page is given; a page is a function of the request, the tenant and those
segments. Unknown tenants and paths answer 404, other methods 405.

What is simulated: pages with the words a check looks for; signing in and out, with one user per
tenant; an OData v4 API with bearer tokens and a quota per tenant over a sliding window; a shop with
a basket kept by a cookie; a connector that takes orders once per idempotency key and confirms them
after its sync interval. What is not: other accounts, prices, stock, payment, or anything that
outlives the process. Everything kept is bounded, the oldest is forgotten first.
"""

from __future__ import annotations

import hmac
import json
import math
import secrets
from collections import OrderedDict, deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from html import escape
from http.cookies import CookieError, SimpleCookie
from typing import Any

from monitor.clock import Clock
from monitor.demo.http1 import Headers, Request, Response, as_html, as_json
from monitor.demo.places import CONTROLS, GROUPS, Settings

TOKEN = "demo-token"  # noqa: S105 - the simulated API's only token, which the docs print
PASSWORD = "demo-password"  # noqa: S105 - of user probe of every tenant, which the docs print
MOST_SESSIONS = 1_000
MOST_ITEMS = 50
MOST_ORDERS = 1_000
CONTACTS = 25
PRODUCTS = ("oak desk", "steel lamp", "office chair", "filing cabinet", "paper tray")

Page = Callable[..., Response]
Routes = Mapping[tuple[str, ...], Mapping[str, Page]]


def backends(clock: Clock, settings: Settings) -> dict[str, Callable[[Request], Response]]:
    """One backend for each service and one for the control targets, sharing nothing."""
    tables = {
        "crm": crm(clock, settings),
        "sites": sites(),
        "website": website(),
        "orders": orders(clock, settings),
    }
    return {
        **{name: _tenant_backend(table) for name, table in tables.items()},
        CONTROLS: _control,
    }


def tenant_of(request: Request) -> str | None:
    """The tenant a path names, None where it names none that exists."""
    return next((part for part in request.parts[:1] if part in GROUPS), None)


def _tenant_backend(routes: Routes) -> Callable[[Request], Response]:
    def backend(request: Request) -> Response:
        tenant = tenant_of(request)
        if tenant is None:
            return as_html(404, "No such tenant", "")
        return dispatch(routes, request, tenant, below=request.parts[1:])

    return backend


def dispatch(routes: Routes, request: Request, *first: Any, below: tuple[str, ...]) -> Response:
    """Answer by the route that fits the path segments `below`: 404 for none, 405 for no method."""
    for pattern, methods in routes.items():
        given = _captured(pattern, below)
        if given is None:
            continue
        if request.method in methods:
            return methods[request.method](request, *first, *given)
        return as_html(405, "Method Not Allowed", "", (("Allow", ", ".join(methods)),))
    return as_html(404, "Not Found", "")


def _captured(pattern: tuple[str, ...], parts: tuple[str, ...]) -> tuple[str, ...] | None:
    if len(pattern) != len(parts):
        return None
    if any(want not in ("*", part) for want, part in zip(pattern, parts, strict=True)):
        return None
    return tuple(part for want, part in zip(pattern, parts, strict=True) if want == "*")


def _control(request: Request) -> Response:
    routes: Routes = {("ok",): {"GET": lambda _request: Response(200, b"ok")}}
    return dispatch(routes, request, below=request.parts)


# --------------------------------------------------------------------------- CRM


def crm(clock: Clock, settings: Settings) -> Routes:
    """Signing in and out, and the API: what it is (`Info`), and contacts."""
    quota = Quota(settings.quota, settings.quota_window, clock)

    def about(request: Request, tenant: str) -> Response:
        refused = _admitted(request, tenant, quota)
        value = {"Tenant": tenant, "Group": GROUPS[tenant], "Api": "v4"}
        return refused or _odata(request, tenant, "Info", value, quota.told(tenant))

    def contacts(request: Request, tenant: str) -> Response:
        refused = _admitted(request, tenant, quota)
        if refused:
            return refused
        top = request.query.get("$top", str(CONTACTS))
        if not (top.isascii() and top.isdigit() and len(top) < 10):
            said = "$top is not a whole number"
            return _odata_error(400, "BadRequest", said, quota.told(tenant))
        rows = [
            {"ContactId": number, "Name": f"Contact {number} of {tenant}"}
            for number in range(1, min(int(top), CONTACTS) + 1)
        ]
        return _odata(request, tenant, "Contacts", {"value": rows}, quota.told(tenant))

    return {
        **signing_in(),
        ("odata", "v4", "Info"): {"GET": about},
        ("odata", "v4", "Contacts"): {"GET": contacts},
    }


def signing_in() -> Routes:
    """The sign-in page with a form token, the home page behind it, and the way out.

    Other credentials are a 401; whoever is not signed in is sent to the sign-in page.
    """
    key = secrets.token_bytes(16)
    sessions: OrderedDict[str, None] = OrderedDict()

    def form_token(tenant: str) -> str:
        return hmac.digest(key, tenant.encode(), "sha256").hex()

    def page(_request: Request, tenant: str) -> Response:
        hidden = f'<input type="hidden" name="csrf" value="{form_token(tenant)}">'
        form = f'<form method="post">{hidden}<input name="user"><input name="password"></form>'
        return as_html(200, "Sign in to Prospect CRM", form)

    def sign_in(request: Request, tenant: str) -> Response:
        sent = request.form
        if not hmac.compare_digest(sent.get("csrf", "").encode(), form_token(tenant).encode()):
            return as_html(400, "Bad Request", "<p>the form is not ours</p>")
        if (sent.get("user"), sent.get("password")) != ("probe", PASSWORD):
            return as_html(401, "Sign in to Prospect CRM", "<p>user or password is wrong</p>")
        session = f"{tenant}-{secrets.token_hex(8)}"
        sessions[session] = None
        if len(sessions) > MOST_SESSIONS:
            sessions.popitem(last=False)
        return _sent_to(f"/{tenant}/home", f"crm={session}; Path=/{tenant}/; HttpOnly")

    def home(request: Request, tenant: str) -> Response:
        if _session(request, tenant, "crm") not in sessions:
            return _sent_to(f"/{tenant}/sign-in")
        return as_html(200, "Home", f"<p>Signed in to {tenant}. Sign out</p>")

    def sign_out(request: Request, tenant: str) -> Response:
        sessions.pop(_session(request, tenant, "crm"), None)
        return _sent_to(f"/{tenant}/sign-in", f"crm=; Path=/{tenant}/; Max-Age=0")

    return {
        ("sign-in",): {"GET": page, "POST": sign_in},
        ("home",): {"GET": home},
        ("sign-out",): {"POST": sign_out},
    }


def _sent_to(path: str, cookie: str = "") -> Response:
    more = (("Set-Cookie", cookie),) if cookie else ()
    return as_html(303, "See Other", "", (("Location", path), *more))


class Quota:
    """At most `allowed` requests per tenant in any span of `window` seconds."""

    def __init__(self, allowed: int, window: float, clock: Clock) -> None:
        self._allowed = allowed
        self._window = window
        self._clock = clock
        self._taken: dict[str, deque[float]] = {tenant: deque() for tenant in GROUPS}

    def take(self, tenant: str) -> float | None:
        """Count one request; None when it is allowed, else the seconds until one would be."""
        taken = self._within_window(tenant)
        if len(taken) < self._allowed:
            taken.append(self._clock.monotonic())
            return None
        return self._until_one_is_free(taken)

    def told(self, tenant: str) -> Headers:
        """What an answer tells of the quota: how much there is, how much is left, until when."""
        taken = self._within_window(tenant)
        reset = self._until_one_is_free(taken) if taken else 0.0
        return (
            ("RateLimit-Limit", str(self._allowed)),
            ("RateLimit-Remaining", str(max(0, self._allowed - len(taken)))),
            ("RateLimit-Reset", str(math.ceil(reset))),
        )

    def _within_window(self, tenant: str) -> deque[float]:
        now, taken = self._clock.monotonic(), self._taken[tenant]
        while taken and taken[0] <= now - self._window:
            taken.popleft()
        return taken

    def _until_one_is_free(self, taken: deque[float]) -> float:
        return taken[0] + self._window - self._clock.monotonic() if taken else self._window


def _admitted(request: Request, tenant: str, quota: Quota) -> Response | None:
    scheme, _, token = request.headers.get("authorization", "").partition(" ")
    known = hmac.compare_digest(token.strip().encode(), TOKEN.encode())
    if scheme.lower() != "bearer" or not known:
        challenge = f'Bearer realm="{tenant}"' + (', error="invalid_token"' if token else "")
        return _odata_error(
            401, "Unauthorized", "a bearer token is needed", (("WWW-Authenticate", challenge),)
        )
    wait = quota.take(tenant)
    if wait is not None:
        retry = ("Retry-After", str(max(1, math.ceil(wait))))
        said = "the quota of this tenant is used up"
        return _odata_error(429, "TooManyRequests", said, (retry, *quota.told(tenant)))
    return None


def _odata(
    request: Request, tenant: str, entity: str, value: dict[str, Any], headers: Headers
) -> Response:
    root = f"http://{request.headers.get('host', '')}/{tenant}/odata/v4"
    context = f"{root}/$metadata#{entity}"
    more = (("OData-Version", "4.0"), *headers)
    return as_json(200, {"@odata.context": context, **value}, more)


def _odata_error(status: int, code: str, message: str, headers: Headers = ()) -> Response:
    return as_json(
        status,
        {"error": {"code": code, "message": message}},
        (("OData-Version", "4.0"), *headers),
    )


# --------------------------------------------------------------------------- Sites and Website


def sites() -> Routes:
    """A tenant's site: one page."""

    def front(_request: Request, tenant: str) -> Response:
        return as_html(200, "Prospect Sites", f"<p>The site of {tenant}.</p>")

    return {(): {"GET": front}}


def website() -> Routes:
    """A tenant's shop: front page, search, a basket, and the way to the checkout."""
    baskets: OrderedDict[str, deque[str]] = OrderedDict()

    def front(_request: Request, tenant: str) -> Response:
        return as_html(200, "Welcome", f"<p>The shop of {tenant}.</p>")

    def search(request: Request, _tenant: str) -> Response:
        asked = request.query.get("q", "")
        found = [product for product in PRODUCTS if asked.lower() in product]
        return as_html(200, "Search", f"<p>{len(found)} for {escape(asked)}</p>{_listed(found)}")

    def basket(request: Request, tenant: str) -> Response:
        return as_html(200, "Basket", _listed(baskets.get(_session(request, tenant), ())))

    def add(request: Request, tenant: str) -> Response:
        item = request.form.get("item", "")[:100]
        if not item:
            return as_html(400, "Bad Request", "<p>item is missing</p>")
        key = _session(request, tenant)
        if key not in baskets:
            key = f"{tenant}-{secrets.token_hex(8)}"
            baskets[key] = deque(maxlen=MOST_ITEMS)
        baskets.move_to_end(key)
        baskets[key].append(item)
        if len(baskets) > MOST_SESSIONS:
            baskets.popitem(last=False)
        cookie = f"session={key}; Path=/{tenant}/; HttpOnly; SameSite=Lax"
        return as_html(200, "Basket", _listed(baskets[key]), (("Set-Cookie", cookie),))

    def checkout(request: Request, tenant: str) -> Response:
        items = len(baskets.get(_session(request, tenant), ()))
        return as_html(200, "Checkout", f"<p>{items or 'No'} items in your basket</p>")

    return {
        (): {"GET": front},
        ("search",): {"GET": search},
        ("basket",): {"GET": basket, "POST": add},
        ("checkout",): {"GET": checkout},
    }


def _session(request: Request, tenant: str, name: str = "session") -> str:
    """The session a request belongs to, "" for none; another tenant's is none."""
    try:
        cookies = SimpleCookie(request.headers.get("cookie", ""))
    except CookieError:
        return ""
    key = cookies[name].value if name in cookies else ""
    return key if key.startswith(f"{tenant}-") else ""


def _listed(items: Any) -> str:
    return "<ul>" + "".join(f"<li>{escape(item)}</li>" for item in items) + "</ul>"


# --------------------------------------------------------------------------- Orders


@dataclass(frozen=True, slots=True)
class Order:
    """An order as it was accepted, `at` on the monotonic clock, under its idempotency key."""

    id: str
    key: str
    body: bytes
    at: float


def orders(clock: Clock, settings: Settings) -> Routes:
    """The ERP connector: its health, its queue, and orders accepted, then confirmed."""
    books = {tenant: OrderBook() for tenant in GROUPS}

    def state(order: Order) -> str:
        age = clock.monotonic() - order.at
        return "confirmed" if age >= settings.sync_interval else "accepted"

    def health(_request: Request, _tenant: str) -> Response:
        return as_json(200, {"status": "ok"})

    def accept(request: Request, tenant: str) -> Response:
        key = request.headers.get("idempotency-key", "")
        mistake = _order_mistake(key, request.body)
        if mistake:
            return as_json(400, {"error": mistake})
        order = books[tenant].accept(key, request.body, clock.monotonic())
        if order is None:
            return as_json(409, {"error": "this Idempotency-Key was used for another order"})
        place = (("Location", f"/{tenant}/orders/{order.id}"),)
        return as_json(202, {"id": order.id, "state": state(order)}, place)

    def show(_request: Request, tenant: str, name: str) -> Response:
        order = books[tenant].by_id.get(name)
        if order is None:
            return as_json(404, {"error": "no such order"})
        return as_json(200, {"id": order.id, "state": state(order)})

    def remove(_request: Request, tenant: str, name: str) -> Response:
        gone = books[tenant].remove(name)
        return Response(204) if gone else as_json(404, {"error": "no such order"})

    return {
        ("health",): {"GET": health},
        **_queues(books, clock, settings.sync_interval),
        ("orders",): {"POST": accept},
        ("orders", "*"): {"GET": show, "DELETE": remove},
    }


def _queues(books: Mapping[str, OrderBook], clock: Clock, sync_interval: float) -> Routes:
    """How long the oldest order waits to be taken up, and how long to be confirmed."""

    def queue(tenant: str) -> tuple[int, float]:
        now = clock.monotonic()
        ages = [now - order.at for order in books[tenant].by_id.values()]
        waiting = [age for age in ages if age < sync_interval]
        return len(waiting), round(max(waiting, default=0.0), 3)

    def waiting(_request: Request, tenant: str) -> Response:
        count, oldest = queue(tenant)
        return as_json(200, {"waiting": count, "oldest_seconds": oldest})

    def unconfirmed(_request: Request, tenant: str) -> Response:
        count, oldest = queue(tenant)
        told = {"unconfirmed": count, "oldest_seconds": oldest}
        return as_json(200, {**told, "sync_interval_seconds": sync_interval})

    return {("waiting",): {"GET": waiting}, ("unconfirmed",): {"GET": unconfirmed}}


def _order_mistake(key: str, body: bytes) -> str | None:
    if not 0 < len(key) <= 200:
        return "an Idempotency-Key of 1 to 200 characters is needed"
    try:
        order = json.loads(body)
    except (ValueError, RecursionError):
        return "the order is not JSON"
    return None if isinstance(order, dict) else "the order is not a JSON object"


class OrderBook:
    """The last MOST_ORDERS orders of one tenant, by id; a key stands for one order only."""

    def __init__(self) -> None:
        self.by_id: OrderedDict[str, Order] = OrderedDict()
        self._by_key: dict[str, Order] = {}

    def accept(self, key: str, body: bytes, at: float) -> Order | None:
        """Take an order, or return the one taken under its key; None if that was another."""
        known = self._by_key.get(key)
        if known is not None:
            return known if known.body == body else None
        order = Order(secrets.token_hex(6), key, body, at)
        self.by_id[order.id] = self._by_key[key] = order
        if len(self.by_id) > MOST_ORDERS:
            self.remove(next(iter(self.by_id)))
        return order

    def remove(self, name: str) -> Order | None:
        """Forget an order and its key; None when there is no such order."""
        order = self.by_id.pop(name, None)
        if order is not None:
            del self._by_key[order.key]
        return order
