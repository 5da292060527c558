"""What every test may ask for: a database of its own, once on each kind that is installed."""

from __future__ import annotations

import pytest

from tests import databases


def pytest_report_header(config):
    on = ", ".join(databases.available())
    missing = "" if databases.postgresql_programs() else " (no PostgreSQL server is installed here)"
    return f"databases: {on}{missing}"


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


def pytest_collection_modifyitems(config, items):
    """Where no PostgreSQL server is installed, what only concerns one is not selected."""
    if databases.postgresql_programs():
        return
    away = [item for item in items if "postgresql_url" in getattr(item, "fixturenames", ())]
    config.hook.pytest_deselected(items=away)
    items[:] = [item for item in items if item not in away]
