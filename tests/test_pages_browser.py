"""The pages in a real browser: what people see, hear and do on them."""

import re

import pytest
import pytest_asyncio

from monitor.web import service_page
from tests.acting_fixtures import TOKEN
from tests.browser import browser, visit
from tests.pages_site import served_on

pytestmark = pytest.mark.asyncio(loop_scope="module")

PATHS = ("/", "/services/crm", "/services/sites?span=90d", "/incidents/1", "/incidents/3")
STILL = [f"{path}{'&' if '?' in path else '?'}refresh=off" for path in PATHS]
FOCUSABLE = "a[href], button, input:not([type=hidden]), textarea, summary, [tabindex='0']"
OUTLINED = (
    "() => { const s = getComputedStyle(document.activeElement);"
    " return s.outlineStyle !== 'none' && parseFloat(s.outlineWidth) >= 2 }"
)
TOO_WIDE = "() => document.documentElement.scrollWidth - document.documentElement.clientWidth"
FILLS = """() => {
  const of = (e, what) => getComputedStyle(e)[what].match(/[\\d.]+/g).slice(0, 3).map(Number);
  const shown = name => document.querySelector(`.strip .state-${name}`);
  const fills = ['working', 'some', 'all'].map(shown).filter(Boolean).map(e => of(e, 'fill'));
  return [of(document.body, 'backgroundColor'), fills];
}"""


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def chromium():
    async with browser() as one:
        yield one


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def site(chromium, tmp_path_factory):
    async with served_on(f"sqlite:///{tmp_path_factory.mktemp('site')}/monitor.db") as one:
        yield one


@pytest.fixture
def look(chromium, site):
    """Visits a page of the site; whatever the browser complains of fails the test."""

    def begun(**more):
        return visit(chromium, site.url, **more)

    return begun


def luminance(colour):
    parts = [c / 255 for c in colour]
    red, green, blue = (c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast(one, other):
    low, high = sorted((luminance(one), luminance(other)))
    return (high + 0.05) / (low + 0.05)


@pytest.mark.parametrize("scheme", ["light", "dark"])
async def test_nothing_stands_in_the_way_of_anybody(look, scheme):
    async with look(color_scheme=scheme) as seen:
        for path in (*STILL, "/incidents/999"):
            await seen.to(path)
            assert (path, await seen.violations()) == (path, [])
        assert seen.complaints == []


async def test_of_a_page_that_renews_itself_nothing_else_is_to_be_said(look):
    """It says above how to stop that; by itself it has to be right on a wall."""
    async with look() as seen:
        for path in ("/", "/incidents/1"):
            await seen.to(path)
            (one,) = await seen.violations()
            assert one.startswith("meta-refresh")


async def test_a_breach_of_the_policy_would_be_heard(look):
    """What the other tests rely on when they find no complaint."""
    async with look() as seen:
        await seen.to("/")
        await seen.page.evaluate("() => document.body.setAttribute('style', 'color: red')")
        assert any("Content Security Policy" in each for each in seen.complaints)
        await seen.page.evaluate("() => document.body.append(document.createElement('img'))")
        assert [each for each in await seen.violations() if each.startswith("image-alt")]


@pytest.mark.parametrize("width", [320, 1920])
async def test_no_page_is_wider_than_the_screen(look, width):
    async with look(width=width) as seen:
        for path in (*PATHS, "/incidents/1?refresh=off", "/services/nope"):
            await seen.to(path)
            assert (path, await seen.page.evaluate(TOO_WIDE)) == (path, 0)
        assert seen.complaints == []


@pytest.mark.parametrize("scheme", ["light", "dark"])
async def test_states_stand_out_from_the_paper(look, scheme):
    async with look(color_scheme=scheme) as seen:
        for path in ("/services/crm", "/services/sites"):
            await seen.to(path)
            paper, fills = await seen.page.evaluate(FILLS)
            assert len(fills) == 2
            assert min(contrast(paper, fill) for fill in fills) >= 3


async def test_the_first_key_leads_past_the_head_of_the_page(look):
    async with look() as seen:
        await seen.to("/")
        await seen.page.keyboard.press("Tab")
        assert await seen.focused() == ["a", "Skip to the content"]
        assert await seen.page.evaluate(OUTLINED)
        await seen.page.keyboard.press("Enter")
        assert await seen.page.evaluate("() => document.activeElement.id") == "main"


@pytest.mark.parametrize("path", ["/", "/services/crm", "/incidents/1?refresh=off"])
async def test_every_control_is_reached_in_its_order_and_shows_that_it_is(look, path):
    async with look() as seen:
        await seen.to(path)
        wanted = await seen.page.locator(FOCUSABLE).evaluate_all(
            "all => all.filter(e => e.checkVisibility()).map(e => e.tagName.toLowerCase())"
        )
        reached = []
        for _ in wanted:
            await seen.page.keyboard.press("Tab")
            assert await seen.page.evaluate(OUTLINED)
            reached.append((await seen.focused())[0])
        assert reached == wanted


async def test_a_page_renews_itself_and_keeps_what_it_shows(look, monkeypatch):
    monkeypatch.setattr(service_page, "REFRESH", 1)
    async with look() as seen:
        await seen.to("/services/crm?span=7d")
        address = seen.page.url
        async with seen.page.expect_navigation():
            pass
        assert seen.page.url == address
        assert "7 days" in await seen.page.locator("nav [aria-current]").inner_text()


async def test_renewal_is_stopped_by_a_link_that_keeps_what_is_shown(look):
    async with look() as seen:
        await seen.to("/services/crm?span=7d")
        await seen.page.get_by_role("link", name="stop that").focus()
        await seen.page.keyboard.press("Enter")
        await seen.page.wait_for_url("**/services/crm?span=7d&refresh=off")
        assert await seen.page.locator("meta[http-equiv=refresh]").count() == 0
        await seen.page.get_by_role("link", name="90 days").click()
        await seen.page.wait_for_url("**/services/crm?span=90d&refresh=off")


async def test_an_incident_is_taken_on_by_keyboard_alone(look, site):
    async with look() as seen:
        await seen.to("/incidents/2")
        await seen.page.get_by_role("link", name="Sign in to act on it").focus()
        await seen.page.keyboard.press("Enter")
        await seen.page.get_by_label("Your name").focus()
        await seen.page.keyboard.type("Robin")
        await seen.page.keyboard.press("Tab")
        await seen.page.keyboard.type(TOKEN)
        await seen.page.keyboard.press("Enter")
        await seen.page.get_by_role("heading", name="Act as Robin").wait_for()
        assert await seen.violations() == []
        await seen.page.get_by_role("button", name="Acknowledge it").focus()
        await seen.page.keyboard.press("Enter")
        await seen.page.get_by_text("acknowledged by Robin").first.wait_for()
        assert (await site.store.incident(2)).incident.acknowledged_by == "Robin"
        assert seen.complaints == []


async def test_the_title_of_the_window_tells_the_state(look):
    async with look() as seen:
        titles = []
        for path in ("/", "/services/crm", "/services/sites", "/incidents/1"):
            await seen.to(path)
            titles.append(await seen.page.title())
        assert titles == [
            "Down for everyone: Prospect 365 CRM - Uptime monitor",
            "Prospect 365 CRM: down for everyone - Uptime monitor",
            "Prospect 365 SITES: working - Uptime monitor",
            "#1 open: CRM is down for all users - Uptime monitor",
        ]


async def test_a_picture_says_in_words_what_it_shows(look):
    async with look() as seen:
        await seen.to("/services/crm")
        strip = seen.page.get_by_role("img", name=re.compile("in the last 24 hours"))
        said = await strip.get_attribute("aria-label")
        assert "Down for everyone for 20 min" in said
        assert "not observed for 40 min" in said
        await seen.page.get_by_text("The strip as a table").click()
        table = seen.page.get_by_role("region", name="States as a table")
        assert await table.get_by_role("cell", name="down for everyone").count() == 1


@pytest.mark.parametrize("path", ["/services/nope", "/incidents/999", "/nowhere"])
async def test_who_follows_a_dead_link_gets_a_page(look, path):
    async with look() as seen:
        answer = await seen.to(path)
        assert answer.status == 404
        assert await seen.page.locator("h1").inner_text() == "There is no such page"
        assert await seen.page.get_by_role("link", name="Overview of every service").count() == 1


async def test_chosen_colours_and_rest_are_respected(look):
    async with look(forced_colors="active", reduced_motion="reduce") as seen:
        await seen.to("/")
        assert await seen.page.evaluate("() => document.getAnimations().length") == 0
        paper, ink = await seen.page.evaluate(
            "() => { const s = getComputedStyle(document.querySelector('.headline'));"
            " return [s.backgroundColor, s.color] }"
        )
        assert (paper, ink) == ("rgb(255, 255, 255)", "rgb(0, 0, 0)")
        assert seen.complaints == []
