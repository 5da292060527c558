"""Gatus's conditions, each as it is written here: passes, or fails and shows the value found."""

from __future__ import annotations

import asyncio
import json

import pytest

from monitor.model import FailureKind, Outcome
from tests.conformance.asking import passes, probed
from tests.http_server import Reply, http_server
from tests.net_fixtures import ok, raw_server

BODY = {
    "status": "UP",
    "count": 5,
    "text_number": "5",
    "word_number": "five",
    "ratio": 0.25,
    "nothing": None,
    "yes": True,
    "empty": "",
    "data": [{"id": 1, "name": "john"}, {"id": 2, "name": "jane.doe"}],
    "nested": {"deep": {"value": [[1, 2], [3]]}},
    "odd key": {"@odata.id": "x"},
    "large": 9007199254740993,
}

# Gatus's condition, as it is written here, whether it holds, what a failure shows.
JSON_CONDITIONS = [
    ("[BODY].status == UP", '$.status == "UP"', True, ""),
    ("[BODY].status == DOWN", '$.status == "DOWN"', False, '$.status (UP) == "DOWN"'),
    ("[BODY].status != DOWN", '$.status != "DOWN"', True, ""),
    ("[BODY].status == any(UP, IDLE)", '$.status in ["UP", "IDLE"]', True, ""),
    (
        "[BODY].status == any(A, B)",
        '$.status in ["A", "B"]',
        False,
        '$.status (UP) in ["A", "B"]',
    ),
    ("[BODY].status == pat(U*)", '$.status =~ "^U"', True, ""),
    ("[BODY].status == pat(*X*)", '$.status =~ "X"', False, '$.status (UP) =~ "X"'),
    ("[BODY].status != pat(*X*)", '$.status !~ "X"', True, ""),
    ("[BODY].count == 5", "$.count == 5", True, ""),
    ("[BODY].count > 4", "$.count > 4", True, ""),
    ("[BODY].count > 5", "$.count > 5", False, "$.count (5) > 5"),
    ("[BODY].count >= 5", "$.count >= 5", True, ""),
    ("[BODY].count < 5", "$.count < 5", False, "$.count (5) < 5"),
    ("[BODY].count <= 5", "$.count <= 5", True, ""),
    ("[BODY].text_number > 4", "$.text_number > 4", True, ""),
    ("[BODY].word_number < 10", "$.word_number < 10", False, "$.word_number (five) < 10"),
    ("[BODY].nothing < 10", "$.nothing < 10", False, "$.nothing (null) < 10"),
    ("[BODY].yes < 10", "$.yes < 10", False, "$.yes (true) < 10"),
    ("[BODY].absent < 10", "$.absent < 10", False, "$.absent (missing) < 10"),
    ("[BODY].absent != x", '$.absent != "x"', False, '$.absent (missing) != "x"'),
    ("[BODY].ratio < 0.5", "$.ratio < 0.5", True, ""),
    ("[BODY].large == 9007199254740993", "$.large == 9007199254740993", True, ""),
    ("[BODY].large == 9007199254740992", "$.large == 9007199254740992", False, "9007199254740993"),
    ("[BODY].nothing == null", "$.nothing == null", True, ""),
    ("has([BODY].nothing) == true", "$.nothing exists", True, ""),
    ("has([BODY].absent) == true", "$.absent exists", False, "$.absent (missing) exists"),
    ("[BODY].yes == true", "$.yes == true", True, ""),
    ("[BODY].empty == ''", '$.empty == ""', True, ""),
    ("len([BODY].data) == 2", "length($.data) == 2", True, ""),
    ("len([BODY].data) > 2", "length($.data) > 2", False, "length($.data) (2) > 2"),
    ("len([BODY].status) == 2", "length($.status) == 2", True, ""),
    ("len([BODY].absent) == 0", "length($.absent) == 0", False, "missing"),
    ("[BODY].data[0].id == 1", "$.data[0].id == 1", True, ""),
    ("[BODY].data[1].name == jane.doe", '$.data[1].name == "jane.doe"', True, ""),
    ("[BODY].data[2].id == 3", "$.data[2].id == 3", False, "$.data[2].id (missing) == 3"),
    ("[BODY].data[-1].id", "$.data[-1].id == 2", True, ""),
    ("any name", '$.data[*].name == "john"', True, ""),
    ("no name", '$.data[*].name == "jim"', False, "(john, jane.doe)"),
    ("[BODY].nested.deep.value[0][1] == 2", "$.nested.deep.value[0][1] == 2", True, ""),
    ("[BODY]['odd key']", '$["odd key"]["@odata.id"] == "x"', True, ""),
    ("[BODY].status.x == 1", "$.status.x == 1", False, "$.status.x (missing) == 1"),
]


@pytest.mark.parametrize(
    ("condition", "holds", "shown"),
    [(ours, holds, shown) for _, ours, holds, shown in JSON_CONDITIONS],
    ids=[gatus for gatus, *_ in JSON_CONDITIONS],
)
async def test_gatus_condition_on_the_body(condition, holds, shown):
    async with http_server({"/": Reply(200, json.dumps(BODY).encode())}) as server:
        result = await probed(server.url(), expect={"json": condition})
    assert (result.outcome is Outcome.PASS) is holds, result.evidence.message
    assert shown in result.evidence.message


@pytest.mark.parametrize(
    ("body", "condition", "holds"),
    [
        ("[1, 2, 3]", "length($) == 3", True),
        ("[1, 2, 3]", "$[0] == 1", True),
        ('"text"', '$ == "text"', True),
        ("5", "$ > 4", True),
        ("null", "$ == null", True),
        ("[[], [1]]", "length($[0]) == 0", True),
        ("{}", "$.a exists", False),
        ("", "$ exists", False),
        ('{"a": NaN}', "$.a exists", False),
        ('{"a": 1', "$.a == 1", False),
    ],
)
async def test_gatus_condition_on_a_bare_document(body, condition, holds):
    async with http_server({"/": Reply(200, body.encode())}) as server:
        result = await probed(server.url(), expect={"json": condition})
    assert (result.outcome is Outcome.PASS) is holds


@pytest.mark.parametrize(
    ("gatus", "expect", "shown"),
    [
        ("[STATUS] == 200", {"status": 200}, "status 500 Internal Server Error (expected 200)"),
        (
            "[STATUS] == any(200, 429)",
            {"status": [200, 429]},
            "status 500 Internal Server Error (expected 200, 429)",
        ),
        (
            "[STATUS] < 300",
            {"status": "200-299"},
            "status 500 Internal Server Error (expected 200-299)",
        ),
        ("[BODY] == pat(*<h1>*)", {"status": 500, "body_matches": "<h1>"}, 'match "<h1>"'),
        ("[BODY] == text", {"status": 500, "body_contains": "text"}, 'body lacks "text"'),
        ("len([BODY]) < 2", {"status": 500, "body_max": 1}, "body of 4 bytes"),
    ],
)
async def test_gatus_condition_that_fails_shows_the_value(gatus, expect, shown):
    async with http_server({"/": Reply(500, b"oops")}) as server:
        result = await probed(server.url(), expect=expect)
    assert result.outcome is Outcome.FAIL
    assert shown in result.evidence.message


async def test_gatus_response_time():
    async with http_server({"/": Reply(200)}) as server:
        await passes(server.url(), expect={"within": "5s"})
    async with raw_server(answers_late) as server:
        result = await probed(server.url(), expect={"within": "10ms"})
    assert result.failure is FailureKind.SLOW
    assert "(expected within 0.01 s)" in result.evidence.message


async def answers_late(reader, writer):
    await reader.readuntil(b"\r\n\r\n")
    await asyncio.sleep(0.02)
    writer.write(ok())


async def test_every_condition_that_fails_is_told():
    expect = {"status": 200, "body_contains": "text", "json": ["$.a == 1", "$.b == 2"]}
    async with http_server({"/": Reply(500, b'{"a": 2}')}) as server:
        result = await probed(server.url(), expect=expect)
    assert result.evidence.message == (
        'status 500 Internal Server Error (expected 200); body lacks "text"; '
        "$.a (2) == 1; $.b (missing) == 2"
    )


@pytest.mark.parametrize(
    ("condition", "remedy"),
    [
        ("$.a =~ 5", "=~ needs a regular expression in double quotes"),
        ('$.a =~ "("', "missing"),
        ("$.a in 5", "in needs an array of JSON values"),
        ("$.a in []", "nothing is in an empty array"),
        ("$.a in [[1]]", "in needs an array of JSON values"),
        ("$.a < null", "needs a number"),
        ("a == 1", "a path begins with $"),
    ],
)
async def test_a_condition_that_makes_no_sense_is_a_mistake_with_a_remedy(condition, remedy):
    from monitor.config import ConfigError

    with pytest.raises(ConfigError, match=r"json") as caught:
        await probed("http://127.0.0.1:1/", expect={"json": condition})
    assert remedy in str(caught.value)
