"""`GET /api/v1/services/{name}/history`, and of a cell: what is answered, and what is refused."""

from datetime import timedelta

import pytest

from monitor.model import Outcome
from tests.history_fixtures import passed
from tests.store_fixtures import opened, result
from tests.test_web import client_of, error_of
from tests.web_fixtures import ESTATE, NINE

CELL = next(cell.key for cell in ESTATE.cells() if cell.key.service == "crm")
OF_CRM = "/api/v1/services/crm/history"
OF_CELL = "/".join(("/api/v1/services/crm/cells", *CELL[1:], "history"))
WHOLE = {"since": "2026-11-23T09:00:00Z", "until": "2026-11-23T10:00:00Z"}


@pytest.fixture
async def web(sqlite_url):
    async with opened(sqlite_url) as store, client_of(None, store) as client:
        seen = [passed(CELL, NINE + timedelta(seconds=n), took=0.5, connect=0.1) for n in range(3)]
        await store.record([*seen, result(CELL, Outcome.FAIL, NINE + timedelta(minutes=31))])
        yield client


async def test_the_checks_of_a_service_are_told_point_by_point(web):
    answer = await web.get(OF_CRM, params=WHOLE | {"width": 600})
    assert answer.status_code == 200
    told = answer.json()
    assert (told["service"], told["cut_before"]) == ("crm", None)
    first, second = told["checks"][CELL.check]
    assert first == {
        "since": "2026-11-23T09:00:00Z",
        "width": 600,
        "passed": 3,
        **dict.fromkeys(("failed", "blocked", "maintenance", "invalid"), 0),
        "phases": {
            "resolve": None,
            "connect": pytest.approx(0.1),
            **dict.fromkeys(("tls", "processing", "transfer")),
        },
        "slowest": 0.5,
    }
    assert (second["since"], second["failed"]) == ("2026-11-23T09:30:00Z", 1)
    assert second["slowest"] is None


async def test_a_cell_is_told_hour_by_hour(web):
    told = (await web.get(OF_CELL, params=WHOLE)).json()
    assert [told[part] for part in CELL._fields] == list(CELL)
    assert [(point["passed"], point["failed"]) for point in told["points"]] == [(3, 1)]


async def test_without_a_stretch_the_last_day_is_told(web):
    told = (await web.get(OF_CRM)).json()
    assert told["until"] == NINE.isoformat().replace("+00:00", "Z")
    assert told["since"] == "2026-11-22T09:00:00Z"
    assert told["checks"] == {}


@pytest.mark.parametrize(
    ("path", "asked", "answered"),
    [
        (OF_CRM.replace("crm", "nobody"), {}, (404, "unknown_service", "names them")),
        (OF_CRM, {"width": 60}, (422, "too_many_points", "at least 180")),
        (OF_CRM, {"width": 0}, (422, "too_many_points", "at least 180")),
        (OF_CRM, {"width": "nan"}, (422, "too_many_points", "at least 180")),
        (OF_CRM, {"width": "inf"}, (422, "invalid_request", "multiple of 60")),
        (OF_CRM, {"width": 333}, (422, "invalid_request", "multiple of 60")),
        (OF_CELL, {"width": 1800}, (422, "invalid_request", "multiple of 3600")),
        (OF_CRM, {"since": "2026-11-23T09:00:00Z"}, (422, "invalid_request", "not before until")),
        (OF_CRM, {"since": "2026-11-23T09:00:00"}, (422, "invalid_request", "since")),
        (
            OF_CRM,
            {"since": "1900-01-01T00:00:00Z", "width": 8.64e7},
            (422, "invalid_request", "days"),
        ),
    ],
)
async def test_what_cannot_be_told_is_refused_with_a_remedy(web, path, asked, answered):
    status, code, said = answered
    answer = await web.get(path, params=asked)
    assert (answer.status_code, error_of(answer)["code"]) == (status, code)
    assert said in str(error_of(answer))
