"""Histories for tests: written by hand, or recorded from a simulated day."""

import json
from collections import Counter
from dataclasses import replace

from monitor.engine.recorder import line_of
from monitor.model import Result
from tests.day import Day


class RecordedDay(Day):
    """A day that keeps the line of every result, as the recorder would write it."""

    def __init__(self, *args, **kwargs):
        self.lines = []
        self._owed = Counter()
        self._asked_ids = set()
        super().__init__(*args, **kwargs)

    def leaves(self, sent, window):
        if self._owed[sent.cell, sent.at]:
            self._owed[sent.cell, sent.at] -= 1
            self._asked_ids.add(sent.id)
        super().leaves(sent, window)

    def handle(self, event):
        if isinstance(event, Result):
            seen = replace(event, observed_at=self.reading().at)
            asked = event.id in self._asked_ids
            self.lines.append(line_of(self.cells[event.cell], seen, asked=asked))
        probes = super().handle(event)
        for probe in probes:
            self._owed.update((cell, max(self.now, probe.at)) for cell in probe.cells)
        return probes

    @property
    def outages(self):
        """Every outage as it was last written, in the order of detection."""
        last = {outage.id: outage for change in self.changes for outage in change.outages}
        return list(last.values())

    def planned_only(self):
        """The same day as another monitor would have kept it: no rounds, the bare keys."""
        bare = ("at", "service", "check", "target", "vantage", "outcome", "control")
        said = [json.loads(line) for line in self.lines]
        return [
            json.dumps({key: each[key] for key in bare if key in each})
            for each in said
            if not each.get("asked")
        ]


def every(interval, until, *, start=0.0, fails=(), **said):
    """Lines of one cell: PASS every `interval` seconds, FAIL between the pairs of `fails`."""
    lines = []
    at = start
    while at < until:
        down = any(begins <= at < ends for begins, ends in fails)
        lines.append({"at": at, "outcome": "fail" if down else "pass", **said})
        at += interval
    return lines


def cell(target="shared", vantage="london", service="crm", check="sign-in", **more):
    """What names a cell."""
    return {"service": service, "check": check, "target": target, "vantage": vantage, **more}


def written(path, lines):
    """The lines, objects or text, as a file."""
    texts = (line if isinstance(line, str) else json.dumps(line) for line in lines)
    path.write_text("".join(text + "\n" for text in texts))
    return path
