"""What every test may ask for: a database of its own, once on each kind that is installed."""

from __future__ import annotations

import os
import shutil
import tempfile
from pathlib import Path

import hypothesis
import pytest
import structlog

from tests import browser, databases
from tests.crash import shim as shims

_PLAIN = structlog.dev.ConsoleRenderer(exception_formatter=structlog.dev.plain_traceback)
structlog.configure(processors=[*structlog.get_config()["processors"][:-1], _PLAIN])
"""What a logged fault shows without the values of all variables: that takes ten seconds."""

os.environ.pop("COLUMNS", None)
"""How wide a terminal is, is for each test to say."""

hypothesis.settings.register_profile("project", deadline=None)
hypothesis.settings.load_profile("project")
"""How long an example takes is the machine's affair."""


def pytest_report_header(config):
    on = ", ".join(databases.available())
    missing = "" if databases.postgresql_programs() else " (no PostgreSQL server is installed here)"
    compiler = "" if shutil.which("cc") else "; no C compiler: the crash harness does not run"
    pages = "" if browser.chromium() else f"; no Chromium to look at pages with: {browser.REMEDY}"
    return f"databases: {on}{missing}{compiler}{pages}"


@pytest.fixture(scope="session")
def postgresql():
    """The PostgreSQL server of this run."""
    with databases.postgresql_server(databases.postgresql_programs()) as server:
        yield server


@pytest.fixture(params=databases.available())
def database_url(request, tmp_path):
    """The URL of an empty database: the test runs once on each kind."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path}/store/monitor.db"
    return request.getfixturevalue("postgresql_url")


@pytest.fixture
def sqlite_url(tmp_path):
    """The URL of an empty SQLite database, for what only concerns files."""
    return f"sqlite:///{tmp_path}/store/monitor.db"


@pytest.fixture
def postgresql_url(postgresql):
    """The URL of an empty PostgreSQL database, for what only concerns a server."""
    with postgresql.database() as url:
        yield url


@pytest.fixture(scope="session")
def shim(tmp_path_factory):
    """The library that the crash harness puts between its processes and the kernel."""
    return shims.compiled(tmp_path_factory.mktemp("shim"))


@pytest.fixture(scope="module")
def memory():
    """A folder in memory, where syncing costs nothing: for who kills processes, not machines."""
    place = Path("/dev/shm")
    with tempfile.TemporaryDirectory(dir=place if place.is_dir() else None) as folder:
        yield Path(folder)


_FIRST = (
    "test_crash_kills",
    "test_fuzz",
    "test_crash_power",
    "test_duties",
    "test_crash_planted",
    "test_crash_races",
    "test_crash_disks",
    "test_running",
)
"""Files that take minutes, those that load the machine first: what is timed comes after them."""


def _turn(item):
    """Where the file of a test stands among the others: they are run side by side."""
    name = item.path.stem
    return _FIRST.index(name) if name in _FIRST else len(_FIRST)


def pytest_collection_modifyitems(config, items):
    """What needs a PostgreSQL server, a C compiler or Chromium is left out where there is none."""
    lacking = set()
    if not databases.postgresql_programs():
        lacking.add("postgresql_url")
    if not shutil.which("cc"):
        lacking.add("shim")
    if not browser.chromium():
        lacking.add("chromium")
    away = [item for item in items if lacking & set(getattr(item, "fixturenames", ()))]
    config.hook.pytest_deselected(items=away)
    items[:] = sorted((item for item in items if item not in away), key=_turn)
