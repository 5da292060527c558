"""The promql probe: a real Prometheus, and a server that answers in its format."""

from __future__ import annotations

import asyncio
import contextlib
import json
from urllib.parse import parse_qs

import httpx
import pytest

from monitor.model import FailureKind, Outcome
from monitor.net.secret import Secret
from monitor.probes import PROBES, Ask, Means
from monitor.probes.http import BasicAuth
from monitor.probes.promql import Empty, ExpectValue, PromqlOptions
from tests.http_server import Reply, http_server
from tests.net_fixtures import made_net
from tests.probe_fixtures import cell_for
from tests.running import free_port

QUERY = "sum by (tenant) (increase(sign_ins_total[5m]))"


@pytest.fixture
async def net():
    async with made_net() as made:
        yield made


@pytest.fixture
async def server():
    async with http_server() as running:
        yield running


async def asked(net, url, *value, query=QUERY, deadline=5.0, expect=None, **fields):
    wanted = ExpectValue(value or ("> 0",), **(expect or {}))
    options = PromqlOptions(url, query, wanted, **fields)
    cell = cell_for("promql", options, url, "crm", "users")
    return await PROBES["promql"].probe(cell, Ask("r1", deadline), Means(net))


def vector(*values, **more):
    """An answer with a series per value, for tenants a, b, ..."""
    result = [
        {"metric": {"tenant": "abcdefgh"[n]}, "value": [1.5, value]}
        for n, value in enumerate(values)
    ]
    return success({"resultType": "vector", "result": result}, **more)


def success(found, **more):
    return Reply(body=json.dumps({"status": "success", "data": found, **more}).encode())


async def answered(net, server, reply, *value, **fields):
    server.replies["/api/v1/query"] = reply
    return await asked(net, server.url(""), *value, **fields)


def summary(result):
    return result.outcome, result.failure, result.evidence.message


# ------------------------------------------------------------------------ values


async def test_it_asks_one_instant_query(net, server):
    query = 'up{tenant="acme"} + {{x}}'
    result = await answered(net, server, vector("3"), query=query)
    assert summary(result) == (Outcome.PASS, None, "")
    [request] = server.requests
    assert (request.method, request.path) == ("POST", "/api/v1/query")
    assert parse_qs(request.body.decode()) == {"query": ['up{tenant="acme"} + {x}']}
    shown = f'POST {server.url("")}/api/v1/query query=up{{tenant="acme"}} + {{x}}'
    assert result.evidence.asked == shown
    assert result.phases.processing > 0


@pytest.mark.parametrize(
    ("value", "conditions", "passes"),
    [
        ("1", ("> 0",), True),
        ("0", ("> 0",), False),
        ("0", ("== 0",), True),
        ("-0.5", ("<0", ">= -0.5"), True),
        ("5", (">= 1", "<= 4"), False),
        ("1.5e+03", ("== 1500",), True),
        ("+Inf", ("> 1e300",), True),
        ("-Inf", ("> 0",), False),
        ("NaN", ("== 0",), False),
        ("NaN", ("!= 0",), False),
        ("nan", ("!= 0",), False),
        ("infinity", ("> 0",), False),
        ("", ("== 0",), False),
        ("many", ("!= 0",), False),
    ],
)
async def test_a_value_keeps_its_conditions_or_is_a_failure(net, server, value, conditions, passes):
    result = await answered(net, server, vector(value), *conditions)
    if passes:
        assert summary(result) == (Outcome.PASS, None, "")
    else:
        assert (result.outcome, result.failure) == (Outcome.FAIL, FailureKind.BODY)
        assert result.evidence.message.startswith(f'{{tenant="a"}} ({value}) ')


async def test_every_series_must_keep_them_unless_any_is_enough(net, server):
    reply = vector("0", "2", "0")
    every = await answered(net, server, reply)
    assert every.evidence.message == '{tenant="a"} (0) > 0; {tenant="c"} (0) > 0'
    assert (await answered(net, server, reply, expect={"any": True})).outcome is Outcome.PASS
    none = await answered(net, server, vector(*"00000"), expect={"any": True})
    assert none.outcome is Outcome.FAIL
    assert none.evidence.message.endswith('{tenant="c"} (0) > 0, and 2 more')


async def test_a_scalar_is_a_value_too(net, server):
    found = {"resultType": "scalar", "result": [1.5, "0"]}
    result = await answered(net, server, success(found))
    assert summary(result) == (Outcome.FAIL, FailureKind.BODY, "value (0) > 0")
    assert '"scalar"' in result.evidence.body


@pytest.mark.parametrize(
    ("empty", "outcome"),
    [(Empty.INVALID, Outcome.INVALID), (Empty.FAIL, Outcome.FAIL), (Empty.PASS, Outcome.PASS)],
)
async def test_no_series_means_what_is_said_of_it(net, server, empty, outcome):
    result = await answered(net, server, vector(), expect={"empty": empty})
    assert result.outcome is outcome
    assert result.evidence.message == ("" if empty is Empty.PASS else "the query finds nothing")


async def test_warnings_of_prometheus_are_kept(net, server):
    result = await answered(net, server, vector("1", warnings=["a store\nis gone"]))
    assert result.evidence.warnings == ("Prometheus warns: a store is gone",)


# ------------------------------------------------------------------------ no values


@pytest.mark.parametrize(
    ("reply", "said"),
    [
        (
            Reply(400, b'{"status":"error","errorType":"bad_data","error":"parse error: x"}'),
            "Prometheus refuses the query: status 400 Bad Request: bad_data: parse error: x",
        ),
        (
            Reply(503, b'{"status":"error","errorType":"timeout","error":"too slow"}'),
            "Prometheus refuses the query: status 503 Service Unavailable: timeout: too slow",
        ),
        (Reply(200, b'{"status":"error"}'), "Prometheus does not answer the query: status 200 OK"),
        (Reply(502, b"<h1>"), "Prometheus does not answer the query: status 502 Bad Gateway"),
        (Reply(401), "Prometheus does not answer the query: status 401 Unauthorized"),
        (Reply(302, headers=(("Location", "/x"),)), "status 302 Found"),
        (success({"resultType": "matrix", "result": []}), "they are a matrix"),
        (success(None), "there is no data"),
        (success({"resultType": "vector"}), "the query yields no values to compare: 'result'"),
        (success({"resultType": "vector", "result": [{"metric": {}, "value": [1, 2]}]}), "no pair"),
        (
            success({"resultType": "vector", "result": [{"metric": {}, "histogram": [1, {}]}]}),
            "a series holds no number but a histogram",
        ),
        (Reply(raw=b""), "Prometheus cannot be asked: "),
        (Reply(hang=True), "Prometheus cannot be asked: "),
    ],
)
async def test_what_is_wrong_with_prometheus_says_nothing_of_the_service(net, server, reply, said):
    result = await answered(net, server, reply, deadline=0.3)
    assert (result.outcome, result.failure) == (Outcome.INVALID, None)
    assert said in result.evidence.message


async def test_a_prometheus_that_is_not_there_says_nothing_of_the_service(net):
    result = await asked(net, f"http://127.0.0.1:{free_port()}")
    assert (result.outcome, result.failure) == (Outcome.INVALID, None)
    assert result.evidence.message.startswith("Prometheus cannot be asked: ")


async def test_credentials_are_sent_and_never_told(server):
    async with made_net(secrets=("opensesame",)) as net:
        reply = Reply(400, b'{"status":"error","error":"not opensesame"}')
        bearer = await answered(net, server, reply, bearer=Secret("opensesame"))
        basic = BasicAuth("probe", Secret("opensesame"))
        await answered(net, server, reply, basic=basic)
    assert [each.header("authorization")[:6] for each in server.requests] == ["Bearer", "Basic "]
    assert "opensesame" not in repr(bearer)


# ------------------------------------------------------------------------ what cannot be meant


@pytest.mark.parametrize(
    "condition",
    ["", "0", "> ", "> x", '== "up"', "== true", "!= null", "exists", ".a > 1", "> 1 2"],
)
def test_what_is_no_condition_is_refused(condition):
    with pytest.raises(ValueError, match=r"^value: .* is no condition: write == !="):
        ExpectValue((condition,))


@pytest.mark.parametrize(
    ("fields", "mistake"),
    [
        ({"url": "x"}, "url: must begin with http"),
        ({"url": "http://h/?a"}, "url: ends before"),
        ({"query": " "}, "query: is empty"),
        ({"bearer": Secret("a"), "basic": BasicAuth("b", Secret("c"))}, "bearer and basic: give"),
    ],
)
def test_a_check_that_makes_no_sense_is_refused(fields, mistake):
    given = {"url": "http://h", "query": "up", "expect": ExpectValue(("> 0",)), **fields}
    with pytest.raises(ValueError, match=mistake):
        PromqlOptions(**given)
    with pytest.raises(ValueError, match="value: name at least one condition"):
        ExpectValue(())


# ------------------------------------------------------------------------ a real one


@contextlib.asynccontextmanager
async def prometheus(folder):
    """Prometheus on loopback with one rule and nothing to scrape; its URL."""
    rule = {"record": "signed_in", "expr": "vector(3)", "labels": {"tenant": "acme"}}
    rules = {"groups": [{"name": "g", "interval": "100ms", "rules": [rule]}]}
    (folder / "rules.yml").write_text(json.dumps(rules))
    (folder / "prometheus.yml").write_text(json.dumps({"rule_files": ["rules.yml"]}))
    address = f"127.0.0.1:{free_port()}"
    process = await asyncio.create_subprocess_exec(
        "prometheus",
        f"--config.file={folder}/prometheus.yml",
        f"--storage.tsdb.path={folder}/data",
        f"--web.listen-address={address}",
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.DEVNULL,
    )
    try:
        yield f"http://{address}"
    finally:
        process.kill()
        await process.wait()


async def test_a_real_prometheus_is_asked(net, tmp_path):
    async with prometheus(tmp_path) as url, asyncio.timeout(30):
        async with httpx.AsyncClient(trust_env=False) as client:
            while True:
                with contextlib.suppress(httpx.TransportError):
                    found = await client.get(f"{url}/api/v1/query", params={"query": "signed_in"})
                    if found.status_code == 200 and found.json()["data"]["result"]:
                        break
                await asyncio.sleep(0.05)
        mine = 'signed_in{tenant="acme"}'
        assert summary(await asked(net, url, "== 3", query=mine)) == (Outcome.PASS, None, "")
        low = await asked(net, url, "> 3", query=mine)
        failed = (Outcome.FAIL, FailureKind.BODY, 'signed_in{tenant="acme"} (3) > 3')
        assert summary(low) == failed
        assert (await asked(net, url, query='signed_in{tenant="none"}')).outcome is Outcome.INVALID
        assert (await asked(net, url, query="0/0")).outcome is Outcome.FAIL
        assert (await asked(net, url, query="1/0")).outcome is Outcome.PASS
        refused = await asked(net, url, query="sum(")
        assert refused.outcome is Outcome.INVALID
        assert "status 400 Bad Request: bad_data: " in refused.evidence.message
        ranged = await asked(net, url, query="signed_in[1m]")
        assert "they are a matrix" in ranged.evidence.message
