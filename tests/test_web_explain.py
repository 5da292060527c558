"""`GET /api/v1/explain`: who may ask, what is answered, and what is refused."""

from dataclasses import replace
from datetime import timedelta

import pytest

from monitor.model import Once, Window
from tests.test_web import AUTHORISED, CHANNELS, client_of, error_of
from tests.web_fixtures import ESTATE, NINE

ASK = "/api/v1/explain"
NOBODY = None  # explaining asks neither the engine nor the store


def client(**more):
    return client_of(NOBODY, NOBODY, **more)


async def asked(query, **more):
    async with client(**more) as web:
        return await web.get(ASK, params=query, headers=AUTHORISED)


async def test_it_needs_the_token():
    async with client() as web:
        for headers in ({}, {"Authorization": "Bearer wrong"}):
            answer = await web.get(ASK, params={"service": "crm"}, headers=headers)
            assert (answer.status_code, error_of(answer)["code"]) == (401, "unauthorised")
    answer = await asked({"service": "crm"}, token=None)
    assert (answer.status_code, error_of(answer)["code"]) == (403, "no_token_configured")


async def test_the_decision_of_now_is_explained_with_rule_settings_and_channels():
    answer = await asked({"service": "crm"})
    assert answer.status_code == 200
    told = answer.json()
    assert told["at"] == told["opens_at"] == told["notify_at"] == "2026-11-23T09:00:00Z"
    assert (told["priority"], told["reason"]) == ("critical", "all_users")
    assert told["respond_by"] == "2026-11-23T11:00:00Z"
    assert told["support"] == {
        "at": "2026-11-23T09:00:00Z",
        "open": True,
        "closed_reason": None,
        "rule": "weekly",
        "setting": "calendar.hours.mon",
        "occasion": "",
        "hours": ["08:30:00", "17:00:00"],
        "local_date": "2026-11-23",
    }
    assert (told["rule"]["number"], told["rule"]["name"]) == (5, "everyone")
    assert {
        "key": "services.crm.all_users_scope",
        "value": "platform",
        "effect": "everyone on the platform is all users",
    } in told["rule"]["settings"]
    assert told["route_row"] == {
        "urgency": "critical",
        "support_open": True,
        "roles": ["service_desk", "on_call"],
        "held": False,
    }
    by_role = {each["role"]: each["channels"] for each in told["told"]}
    assert by_role == {"on_call": ["pager"], "service_desk": ["desk"]}
    assert told["maintenance"] is None


async def test_a_role_without_a_channel_has_an_empty_list():
    told = (await asked({"service": "crm"}, channels=CHANNELS[:1])).json()["told"]
    assert {each["role"]: each["channels"] for each in told} == {
        "on_call": ["pager"],
        "service_desk": [],
    }


async def test_the_window_that_covers_it_is_named_with_its_end():
    ends = NINE + timedelta(hours=1)
    window = Window("upgrade", Once(NINE, ends), ("crm",), reason="move")
    answer = await asked({"service": "crm"}, estate=replace(ESTATE, windows=(window,)))
    told = answer.json()
    assert told["maintenance"] == {
        "name": "upgrade",
        "reason": "move",
        "until": "2026-11-23T10:00:00Z",
    }
    assert told["opens_at"] == told["notify_at"] == "2026-11-23T10:00:00Z"
    assert told["respond_by"] == "2026-11-23T12:00:00Z"


@pytest.mark.parametrize(
    ("query", "parts"),
    [
        ({}, ["service"]),
        ({"service": "mail", "at": "noon", "impact": "most"}, ["at", "impact", "service"]),
        ({"service": "crm", "failing": "9", "tenant": "fern"}, ["tenant", "failing", "failing"]),
        ({"service": "crm", "colour": "red"}, ["question"]),
        ({"service": "crm", "at": "2031-06-01"}, ["at"]),
    ],
)
async def test_each_mistake_is_named_and_what_was_sent_is_not_repeated(query, parts):
    answer = await asked(query)
    assert answer.status_code == 422
    error = error_of(answer)
    assert [detail.partition(":")[0] for detail in error["details"]] == parts
    assert all(sent not in answer.text for sent in ("mail", "noon", "most", "fern", "colour"))


async def test_a_part_that_is_given_twice_is_refused():
    async with client() as web:
        query = [("service", "crm"), ("tenant", "acme"), ("tenant", "bolt")]
        answer = await web.get(ASK, params=query, headers=AUTHORISED)
    assert answer.status_code == 422
    assert error_of(answer)["details"] == ["tenant: is given twice: leave one of them out"]
