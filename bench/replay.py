"""How many results a second replay takes in from disk: read, sorted and judged.

An hour of 300 cells every 10 s and their controls, as the recorder writes it; a tenth of the time
one service is down for everyone, with its rounds. Once more without the rounds, as another monitor
would have kept it.
"""

import json
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from monitor.replay import Setting, read_history, replay
from tests.estates import check, estate, service, tenants
from tests.replay_fixtures import RecordedDay

BUDGET = 30_000


def rows() -> Iterator[str]:
    watched = estate(
        service("crm", check(of=tenants(50), interval=10.0, timeout=5.0)),
        service("sites", check("sites", of=tenants(50), interval=10.0, timeout=5.0)),
    )
    day = RecordedDay("Mon 2026-11-23 08:00", watched)
    day.fails("crm", "08:30", until="08:36")
    day.runs_until("09:00")
    planned = [line for line in day.lines if not json.loads(line).get("asked")]
    yield _row("with rounds", day.lines, Setting(watched))
    yield _row("planned results only", planned, Setting())


def _row(name: str, lines: list[str], setting: Setting) -> str:
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "results.jsonl"
        file.write_text("\n".join(lines) + "\n")
        began, cpu = time.perf_counter(), time.process_time()
        history = read_history(file)
        read = time.process_time() - cpu
        report = replay(history, setting)
        took, spent = time.perf_counter() - began, time.process_time() - cpu
    return (
        f"{name}: {len(lines)} results, {len(report.outages)} outages: "
        f"{len(lines) / took:,.0f} a second ({1e6 * spent / len(lines):.1f} us of CPU each, "
        f"{1e6 * read / len(lines):.1f} of it to read); budget {BUDGET:,} a second"
    )
