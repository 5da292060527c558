"""`monitor report`: the figures of a month from a store, as table, CSV and JSON."""

from __future__ import annotations

import asyncio
import csv
import hashlib
import io
import json
from datetime import timedelta

import pytest

from monitor.clock import Clock
from monitor.model import Change, Impact, IncidentState, Interval
from monitor.store import open_store
from tests.figures_fixtures import gap, outage
from tests.hours_fixtures import utc
from tests.store_fixtures import incident, opening
from tests.test_cli import configured, monitor

REPORTED = utc("2024-10-23 10:00:20")
COLUMNS = [
    "month",
    "since",
    "until",
    "running",
    "final",
    "service",
    "uptime_percent",
    "coverage_percent",
    "seconds",
    "maintenance_seconds",
    "unobserved_seconds",
    "counted_seconds",
    "down_seconds",
    "down_everyone_seconds",
    "down_at_most_seconds",
    "sha256",
]


@pytest.fixture(autouse=True)
def narrow(monkeypatch):
    """As wide as the narrowest terminal."""
    monkeypatch.setenv("COLUMNS", "80")


def answered():
    """An incident of 23 October that somebody took after four minutes."""
    return incident(
        service="web",
        state=IncidentState.RESOLVED,
        began=Interval(None, utc("2024-10-23 10:00")),
        detected_at=REPORTED,
        reported_at=REPORTED,
        respond_by=REPORTED + timedelta(hours=2),
        acknowledged_at=REPORTED + timedelta(minutes=4),
        acknowledged_by="Robin",
        recovered=Interval(None, utc("2024-10-23 10:42")),
        resolved_at=utc("2024-10-23 10:52"),
    )


async def kept(url, *changes):
    """A store that watches since August 2024 and signed at the end of the year."""
    for day in ("2024-08-20 00:00", "2024-12-31 00:00"):
        clock = Clock(lambda day=day: utc(day), lambda: 0.0)
        store = await open_store(url, clock=clock, holder="test")
        await store.watch(["web"], utc(day))
        await store.sign()
        for change in changes if "12" in day else ():
            await store.commit(change)
        await store.close()


@pytest.fixture
def config(tmp_path):
    """A configuration whose store knows October 2024."""
    web = {"service": "web", "check": "home"}
    failing = outage(utc("2024-10-23 10:00"), utc("2024-10-23 10:42"), Impact.ALL, **web)
    pause = gap(utc("2024-10-20 10:00"), utc("2024-10-20 11:00"))
    changes = Change(outages=(failing,), unobserved=(pause,)), opening(answered())
    asyncio.run(kept(f"sqlite:///{tmp_path}/monitor.db", *changes))
    return configured(tmp_path, 1)


def report(config, *arguments, month="2024-10"):
    return monitor("report", "--month", month, "--config", config, *arguments)


def test_the_table_says_availability_answers_and_the_hash(config):
    code, out, err = report(config)
    lines = [line.split() for line in out.splitlines()]
    assert (code, err) == (0, "")
    assert out.startswith("2024-10 in Europe/London; durations in seconds\n")
    assert ["web", "99.905", "99.865", "2520", "2520", "2520"] in lines
    assert ["web", "2682000", "0", "3600", "2678400"] in lines
    assert ["all", "2682000", "0", "3600", "2678400"] in lines
    assert ["in", "hours", "1", "0", "0", "1", "0", "0", "0"] in lines
    assert ["to", "acknowledge", "(MTTA)", "in", "hours", "1", "240", "240", "240"] in lines
    assert ["to", "acknowledge", "(MTTA)", "out", "of", "hours", "0"] in lines
    assert lines[-1] == ["sha256", json.loads(report(config, "--json")[1])["sha256"]]


def test_the_csv_has_a_row_a_service_under_columns_that_stay(config):
    code, out, _ = report(config, "--csv")
    rows = list(csv.DictReader(io.StringIO(out)))
    assert code == 0
    assert out.partition("\n")[0].split(",") == COLUMNS
    (row,) = rows
    assert row["sha256"] == json.loads(report(config, "--json")[1])["sha256"]
    assert list(row.values())[:-1] == [
        "2024-10",
        "2024-09-30T23:00:00Z",
        "2024-11-01T00:00:00Z",
        "false",
        "true",
        "web",
        "99.905",
        "99.865",
        "2682000",
        "0",
        "3600",
        "2678400",
        "2520",
        "2520",
        "2520",
    ]


def test_the_json_has_these_keys_and_its_own_hash(config):
    code, out, _ = report(config, "--json")
    figures = json.loads(out)
    assert code == 0
    assert list(figures) == [
        "month",
        "zone",
        "since",
        "until",
        "running",
        "final",
        "services",
        "together",
        "incidents",
        "remarks",
        "sha256",
    ]
    sha256 = figures.pop("sha256")
    canonical = json.dumps(figures, sort_keys=True, separators=(",", ":"))
    assert hashlib.sha256(canonical.encode()).hexdigest() == sha256
    assert figures["incidents"]["in_hours"]["response"]["met"] == 1


def test_a_month_that_is_asked_for_again_is_the_same(config):
    assert report(config, "--json") == report(config, "--json")


def test_a_month_before_anybody_watched_has_an_unknown_uptime(config):
    assert ",unknown,0,2678400," in report(config, "--csv", month="2024-07")[1]
    assert "unknown" in report(config, month="2024-07")[1]
    (web,) = json.loads(report(config, "--json", month="2024-07")[1])["services"]
    assert (web["uptime_percent"], web["coverage_percent"]) == (None, 0)


def test_what_is_remarked_stands_below_the_tables(config):
    config.write_text(config.read_text().replace("home", "front"))
    out = report(config)[1]
    assert "\nweb/home is no longer configured: its outages count as blocking.\nsha256 " in out


@pytest.mark.parametrize(
    ("month", "said"),
    [
        ("2026-13", "--month: '2026-13' is no month: write the year and the month, as 2026-11\n"),
        ("9000-01", "--month: 9000-01 has not begun: ask for a month that has\n"),
        ("1969-01", "--month: 1969-01 is out of reach: ask for a year 1970 to 9998\n"),
    ],
)
def test_a_mistaken_month_exits_2_with_a_remedy(config, month, said):
    assert report(config, month=month) == (2, "", said)


def test_one_form_is_asked_for(config):
    assert report(config, "--csv", "--json") == (2, "", "--csv and --json: choose one of them\n")


def test_a_store_that_is_not_there_is_said(tmp_path):
    code, out, err = report(configured(tmp_path, 1))
    assert (code, out) == (1, "")
    assert err.startswith("the store cannot be read: ")


async def test_it_reads_beside_whoever_holds_the_store(config, tmp_path):
    url = f"sqlite:///{tmp_path}/monitor.db"
    clock = Clock(lambda: utc("2024-12-31 00:01"), lambda: 0.0)
    store = await open_store(url, clock=clock, holder="a running monitor")
    code, out, _ = await asyncio.to_thread(report, config, "--csv")
    assert (code, ",99.905," in out) == (0, True)
    await store.sign()
    await store.close()
