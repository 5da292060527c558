"""The whole application with an incident open, for the tests of what people do with it."""

import re
from contextlib import asynccontextmanager
from datetime import timedelta
from html import unescape
from urllib.parse import urlencode

import httpx

from monitor.detection import Track
from monitor.model import Dimension, Extent, Impact, Outage, VerdictReason
from monitor.net.links import Links
from monitor.net.secret import Secret
from monitor.web import create_app
from tests.hours_fixtures import SUPPORT, london
from tests.outbox_fixtures import Watch
from tests.store_fixtures import incident, opening
from tests.test_engine import made_on, running

NIGHT = london("Sun 2026-11-29 03:00")
TOKEN = "tøken of the API"
AUTHORISED = {"Authorization": f"Bearer {TOKEN}".encode()}
PUBLIC = "https://monitor.example"
LINKS = Links(Secret("a key for links, of some length"), lasts=timedelta(hours=24))
HOOK = Secret("a secret of the hook")
OURS = {"Origin": PUBLIC, "Sec-Fetch-Site": "same-origin"}
_FORM = {"Content-Type": "application/x-www-form-urlencoded"}


class Site:
    """The application, as a program reaches it or a browser, which keeps cookies."""

    def __init__(self, made, *, token=TOKEN, public_url=PUBLIC, links=LINKS):
        self.made, self.store = made, made.store
        self.watch = made.world.watch
        app = create_app(
            made.engine,
            made.store,
            made.metrics,
            self.watch.clock,
            api_token=Secret(token) if token else None,
            public_url=public_url,
            estate=made.mind.estate,
            calendar=made.mind.calendar,
            policy=made.mind.policy,
            channels=(),
            links=links,
            hooks={"pager": HOOK},
        )
        transport = httpx.ASGITransport(app, raise_app_exceptions=False)
        self.browser = httpx.AsyncClient(transport=transport, base_url=public_url)
        self.program = httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1")

    async def api(self, move, body, *, number=1, headers=AUTHORISED):
        path = f"/api/v1/incidents/{number}/{move}"
        return await self.program.post(path, json=body, headers=headers)

    async def page(self, number=1, query=""):
        return await self.browser.get(f"/incidents/{number}{query}")

    async def send(self, path, headers=OURS, **fields):
        body = urlencode(fields)
        return await self.browser.post(path, content=body, headers={**_FORM, **headers})

    async def signs_in(self, by="Robin", token=TOKEN):
        return await self.send("/session", incident=1, by=by, token=token)

    async def does(self, move, *, number=1, headers=OURS, **fields):
        """Sends a form of the page with the mark that the page gave it."""
        fields = {"mark": marks(await self.page(number))[0]} | fields
        return await self.send(f"/incidents/{number}/{move}", headers, **fields)

    async def incident(self, number=1):
        return (await self.store.incident(number)).incident

    async def timeline(self, number=1):
        """(kind, who, text) of every line but that of the opening."""
        record = await self.store.incident(number)
        return [(e.kind.value, e.actor, e.text) for e in record.events[1:]]

    async def opens(self, number=1, **changes):
        """An incident that no probe sees fail, so that a person may end it."""
        one = incident(number, **{"subject": f"v1:crm:all:{number}"} | changes)
        await self.store.commit(opening(one))
        self.made.mind.open[one.subject] = one
        return one

    def fails_still(self, one):
        """From now on the probes see what an incident is about fail."""
        everyone = Extent(Dimension.EVERYONE)
        seen = (Impact.ALL, VerdictReason.EVERYONE_TWICE, everyone, one.began, one.detected_at)
        outage = Outage("o", "crm/sign-in", "crm", "sign-in", *seen)
        self.made.mind.outages["crm/sign-in", Track.ALL] = outage


def marks(answer):
    """The marks of the forms of a page."""
    return [unescape(each) for each in re.findall(r'name="mark" value="([^"]*)"', answer.text)]


def error_of(answer):
    return answer.json()["error"]


@asynccontextmanager
async def site_on(url, **settings):
    async with made_on(url, Watch(NIGHT), calendar=SUPPORT) as made, running(made.engine):
        site = Site(made, **settings)
        async with site.browser, site.program:
            yield site
