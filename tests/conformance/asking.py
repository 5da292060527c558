"""One http check as a user writes it: by way of the configuration to a real server."""

from __future__ import annotations

import json
import tempfile
from pathlib import Path

from monitor.clock import real_clock
from monitor.config import load
from monitor.model import Outcome
from monitor.net.network import Net
from monitor.net.redaction import Redactor
from monitor.probes import PROBES, Ask, Means
from tests.net_fixtures import NOBODY

NETWORK = {"allow_private": ["127.0.0.0/8", "::1/128"]}


class Asked:
    """A check that was read, with what its probes share; use as an async context manager."""

    def __init__(self, url, files=None, environ=None, limits=None, vantage=None, **options):
        self.url, self.options = url, {"changes": False, **options}
        self.files, self.environ = files or {}, environ or {}
        self.limits, self.vantage = limits or {}, vantage or {}

    async def __aenter__(self):
        self.folder = tempfile.TemporaryDirectory()
        try:
            self._read()
        except BaseException:
            self.folder.cleanup()
            raise
        return self

    def _read(self):
        for name, content in self.files.items():
            (Path(self.folder.name) / name).write_bytes(content)
        path = Path(self.folder.name) / "checks.yaml"
        path.write_text(json.dumps(self._document()))
        self.config = load(path, self.environ)
        self.net = Net(
            real_clock(),
            self.config.limits,
            self.config.allow_private,
            Redactor(self.config.secrets),
            self.config.nameservers or NOBODY,
        )
        (self.cell,) = self.config.estate.cells()
        self.means = Means(self.net)

    async def __aexit__(self, *_exc):
        await self.net.aclose()
        self.folder.cleanup()

    async def probe(self, deadline=5.0):
        return await PROBES["http"].probe(self.cell, Ask("r1", deadline), self.means)

    def _document(self):
        check = {"name": "probed", "url": self.url, **self.options}
        return {
            "network": NETWORK,
            "limits": self.limits,
            "vantages": {"here": {"network": "here", **self.vantage}},
            "services": {"crm": {"checks": [check]}},
        }


async def probed(url, **options):
    """The Result of one probe of a check."""
    async with Asked(url, **options) as asked:
        return await asked.probe()


async def passes(url, **options):
    result = await probed(url, **options)
    assert result.outcome is Outcome.PASS, result.evidence.message
    return result


async def fails(url, kind, *fragments, **options):
    result = await probed(url, **options)
    assert (result.outcome, result.failure) == (Outcome.FAIL, kind), result.evidence.message
    for fragment in fragments:
        assert fragment in result.evidence.message
    return result
