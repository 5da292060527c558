"""A real browser for tests: Debian's Chromium, headless, driven over its own protocol.

It looks at loopback only, and everything that it complains of is written down: scripts that fail,
what the content security policy forbade, what could not be loaded.
"""

import shutil
from contextlib import asynccontextmanager

REMEDY = "apt-get install chromium fonts-dejavu-core"
_QUIET = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
RULES = {"resultTypes": ["violations"]}


def chromium():
    """The path of the browser, None where it is not installed."""
    return shutil.which("chromium")


@asynccontextmanager
async def browser():
    """One browser for as long as the block lasts."""
    from playwright.async_api import async_playwright

    async with async_playwright() as playwright:
        one = await playwright.chromium.launch(executable_path=chromium(), args=list(_QUIET))
        try:
            yield one
        finally:
            await one.close()


class Visit:
    """One page in a context of its own, and what the browser complained of."""

    def __init__(self, page, address):
        self.page, self.address = page, address
        self.complaints = []
        page.on("console", self._heard)
        page.on("pageerror", lambda error: self.complaints.append(str(error)))
        page.on("requestfailed", lambda request: self.complaints.append(f"failed: {request.url}"))

    def _heard(self, message):
        # That a page answers 404 is told as an error too, which it is not here.
        if message.type == "error" and "the server responded with a status of" not in message.text:
            self.complaints.append(message.text)

    async def to(self, path):
        """Follow an address; the answer."""
        return await self.page.goto(self.address + path, wait_until="load")

    async def violations(self):
        """What axe finds wrong, in words."""
        from axe_playwright_python.async_playwright import Axe

        found = await Axe().run(self.page, options=RULES)
        return [
            f"{each['id']}: {each['help']}: {node['html'][:200]}"
            for each in found.response["violations"]
            for node in each["nodes"]
        ]

    async def focused(self):
        """What has the focus: its tag, and its name as far as its text or label is one."""
        return await self.page.evaluate(
            "() => { const e = document.activeElement; return [e.tagName.toLowerCase(),"
            " (e.getAttribute('aria-label') || e.textContent || e.name || '').trim()] }"
        )


@asynccontextmanager
async def visit(browser, address, *, width=1280, height=800, **more):
    """A page of a size; `more` as Playwright's contexts take it, such as color_scheme."""
    viewport = {"width": width, "height": height}
    context = await browser.new_context(viewport=viewport, **more)
    try:
        yield Visit(await context.new_page(), address)
    finally:
        await context.close()
