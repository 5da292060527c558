"""The channels: what leaves, and what is made of the answer."""

from __future__ import annotations

import asyncio
import json
import socket
from contextlib import asynccontextmanager
from dataclasses import fields, replace
from datetime import UTC, timedelta
from email.utils import format_datetime

import pytest
import structlog

from monitor.channels import CHANNELS, Means
from monitor.channels.document import notice_document
from monitor.channels.log import LogOptions
from monitor.channels.webhook import TOLERANCE_SECONDS, WebhookOptions, verify
from monitor.model import Accepted, Action, DeliveryError, Interval
from monitor.net.secret import Secret
from tests.http_server import Reply
from tests.outbox_fixtures import INSTANCE, SECRET, START, Watch, incident, network, notice
from tests.receivers.webhook import ACCEPT, HANG, webhook_receiver


@asynccontextmanager
async def webhook(*answers, within=5.0):
    """A receiver that gives these answers, and a function that sends it a notice."""
    watch = Watch()
    net = network(watch)
    async with webhook_receiver(SECRET, lambda: watch.at, *answers) as receiver:
        options = WebhookOptions(receiver.url, SECRET, within)
        yield receiver, lambda said: CHANNELS["webhook"].send(said, options, Means(net))
    await net.aclose()


async def refusal(*answers, within=5.0):
    """The error with which a webhook fails when its receiver answers so."""
    async with webhook(*answers, within=within) as (_, send):
        with pytest.raises(DeliveryError) as caught:
            await send(notice(incident()))
    return caught.value


async def test_a_webhook_posts_the_document_with_its_key_and_a_good_signature():
    said = notice(incident())
    async with webhook() as (receiver, send):
        await send(said)
    (arrival,) = receiver.arrivals
    assert arrival.refusal is None
    assert arrival.request.method == "POST"
    assert arrival.request.header("content-type") == "application/json"
    assert arrival.key == said.key == arrival.document["key"]
    assert arrival.document == json.loads(json.dumps(notice_document(said, START)))


async def test_a_receiver_s_id_and_url_are_kept():
    async with webhook(ACCEPT) as (_, send):
        accepted = await send(notice(incident()))
    assert accepted == Accepted("remote-1", "https://desk.example/remote-1")


@pytest.mark.parametrize(
    ("body", "accepted"),
    [
        (b"", Accepted()),
        (b"ok", Accepted()),
        (b"\xff\xfe", Accepted()),
        (b"[1]", Accepted()),
        (b"[" * 100_000, Accepted()),
        (b'{"id": 17}', Accepted("17")),
        (b'{"id": true, "url": "javascript:alert(1)"}', Accepted()),
        (b'{"id": null, "url": "/x"}', Accepted()),
        (b'{"id": "' + b"x" * 300 + b'"}', Accepted("x" * 255)),
    ],
)
async def test_a_strange_answer_is_still_an_acceptance(body, accepted):
    async with webhook(Reply(202, body)) as (_, send):
        assert await send(notice(incident())) == accepted


@pytest.mark.parametrize("status", [301, 408, 429, 500, 502, 503, 504])
async def test_what_may_pass_is_worth_another_try(status):
    error = await refusal(Reply(status, b"busy,\n try   later", (("location", "/elsewhere"),)))
    assert not error.permanent
    assert str(error) == f"the receiver answered {status}: busy, try later"


@pytest.mark.parametrize("status", [400, 401, 404, 410, 422])
async def test_any_other_4xx_is_permanent(status):
    error = await refusal(Reply(status))
    assert error.permanent
    assert str(error) == f"the receiver answered {status}"


async def test_a_receiver_that_repeats_the_secret_does_not_get_it_into_the_error():
    error = await refusal(Reply(400, b"x" * 190 + SECRET.reveal().encode()))
    assert SECRET.reveal()[:8] not in str(error)


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        ("120", 120.0),
        ("0", 0.0),
        (format_datetime(START + timedelta(seconds=90), usegmt=True), 90.0),
        (format_datetime(START - timedelta(seconds=90), usegmt=True), 0.0),
        ("Mon, 03 Jun 2030 03:14:30 +0200", 30.0),
        ("soon", None),
        ("-5", None),
        ("1.5", None),
        ("9" * 400, None),
        ("Mon, 03 Jun 2030 03:14:30 +99999999999999", None),
        ("Mon, 03 Jun 99999 03:14:30 GMT", None),
    ],
)
async def test_retry_after_is_read_in_both_its_forms(value, seconds):
    error = await refusal(Reply(429, headers=(("retry-after", value),)))
    assert error.retry_after == seconds


async def test_no_retry_after_is_no_wish():
    assert (await refusal(Reply(503))).retry_after is None


async def test_a_receiver_that_hangs_is_left_after_the_timeout_and_may_pass():
    async with asyncio.timeout(5):
        error = await refusal(HANG, within=0.1)
    assert not error.permanent
    assert str(error)


async def test_a_receiver_that_is_not_there_may_pass():
    net = network(Watch())
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        options = WebhookOptions(f"http://127.0.0.1:{taken.getsockname()[1]}/", SECRET)
        with pytest.raises(DeliveryError) as caught:
            await CHANNELS["webhook"].send(notice(incident()), options, Means(net))
    await net.aclose()
    assert not caught.value.permanent
    assert str(caught.value)


async def test_an_answer_cut_short_may_pass():
    error = await refusal(Reply(raw=b"HTTP/1.1 200 OK\r\ncontent-le"))
    assert not error.permanent


@pytest.fixture
async def signed():
    """Timestamp, body and signature as a receiver gets them."""
    async with webhook() as (receiver, send):
        await send(notice(incident()))
    request = receiver.arrivals[0].request
    return request.header("monitor-timestamp"), request.body, request.header("monitor-signature")


async def test_one_changed_byte_anywhere_breaks_the_signature(signed):
    timestamp, body, signature = signed
    assert verify(SECRET, timestamp, body, signature, START) is None
    for at in range(0, len(body), 97):
        changed = body[:at] + bytes([body[at] ^ 1]) + body[at + 1 :]
        refused = verify(SECRET, timestamp, changed, signature, START)
        assert refused == "the signature does not match"
    other = str(int(timestamp) + 1)
    assert verify(SECRET, other, body, signature, START) == "the signature does not match"


@pytest.mark.parametrize("forged", ["", "v1=", "v1=00", "v2=" + "0" * 64, "v1=\u0661", "\ud800"])
async def test_no_other_signature_will_do(signed, forged):
    timestamp, body, _ = signed
    assert verify(SECRET, timestamp, body, forged, START) == "the signature does not match"


async def test_another_secret_does_not_verify(signed):
    timestamp, body, signature = signed
    refused = verify(Secret("another"), timestamp, body, signature, START)
    assert refused == "the signature does not match"


@pytest.mark.parametrize("timestamp", ["", "now", "-1", "1.5", "\u0661", "9" * 5000])
async def test_a_timestamp_is_whole_seconds(signed, timestamp):
    _, body, signature = signed
    refused = verify(SECRET, timestamp, body, signature, START)
    assert refused == "the timestamp is not whole seconds since 1970"


@pytest.mark.parametrize("sign", [-1, 1])
async def test_a_message_lives_five_minutes(signed, sign):
    edge = timedelta(seconds=TOLERANCE_SECONDS) * sign
    late = edge + timedelta(seconds=1) * sign
    assert verify(SECRET, *signed, START + edge) is None
    assert verify(SECRET, *signed, START + late) == "the timestamp is 301 s off, more than 300 s"


def test_a_document_tells_when_who_and_how_it_is_known():
    said = notice_document(notice(incident()), START)
    about = said["incident"]
    assert (said["version"], said["instance"], said["action"]) == (1, INSTANCE, "trigger")
    assert said["dedup_key"] == f"{INSTANCE}:{about['id']}"
    assert said["sent_at"] == "2030-06-03T01:14:00.000Z"
    assert about["began_after"] == "2030-06-03T01:13:20.000Z"
    assert about["began_before"] == "2030-06-03T01:13:29.000Z"
    assert about["respond_by"] == "2030-06-03T03:14:00.000Z"
    assert about["known_by"] == "15 of 15 targets failed in two rounds"
    assert about["route"] == ["on_call", "service_desk"]
    assert about["errors"][0]["message"] == "status 503 \u2014 no"
    assert about["recovered_after"] is about["recovered_before"] is about["acknowledged_by"] is None


def test_a_document_of_another_incident_names_both():
    said, other = notice(incident()), replace(incident(), number=2, id="another")
    told = replace(said, message=replace(said.message, about=other))
    document = notice_document(told, START)
    assert document["incident"]["id"] in document["dedup_key"]
    assert (document["about"]["number"], document["about"]["id"]) == (2, "another")
    assert notice_document(said, START)["about"] is None


def test_a_document_of_a_recovery_says_since_when():
    back = Interval(None, START.astimezone(UTC))
    about = notice_document(notice(incident(recovered=back)), START)["incident"]
    assert (about["recovered_after"], about["recovered_before"]) == (
        None,
        "2030-06-03T01:14:00.000Z",
    )


def test_every_kind_s_options_are_a_dataclass():
    assert all(fields(kind.options) for kind in CHANNELS.values())
    assert repr(WebhookOptions("http://127.0.0.1/", SECRET)).count(SECRET.reveal()) == 0


async def written(path, *said):
    net = network(Watch())
    for each in said:
        await CHANNELS["log"].send(each, LogOptions(str(path)), Means(net))
    await net.aclose()


async def test_a_log_file_gets_one_line_a_notice(tmp_path):
    path = tmp_path / "notices.jsonl"
    trigger = notice(incident())
    resolve = notice(incident(), action=Action.RESOLVE, seq=2)
    await written(path, trigger, resolve)
    lines = path.read_text().splitlines()
    assert [json.loads(line)["key"] for line in lines] == [trigger.key, resolve.key]


async def test_a_torn_line_does_not_swallow_the_next(tmp_path):
    path = tmp_path / "notices.jsonl"
    path.write_text('{"version": 1, "inst')
    await written(path, notice(incident()))
    torn, whole = path.read_text().splitlines()
    assert torn == '{"version": 1, "inst'
    assert json.loads(whole)["action"] == "trigger"


async def test_a_file_that_cannot_be_written_may_pass(tmp_path):
    with pytest.raises(DeliveryError, match=r"cannot write .*: Is a directory") as caught:
        await written(tmp_path, notice(incident()))
    assert not caught.value.permanent


@pytest.mark.parametrize("text", ["two\nlines", "a lone \ud800 surrogate", "\u2028 \x00 \x1b[31m"])
async def test_remote_text_stays_within_its_line(tmp_path, text):
    path = tmp_path / "notices.jsonl"
    said = notice(incident(title=text))
    await written(path, said, replace(said, seq=2))
    assert len(path.read_bytes().splitlines()) == 2
    assert json.loads(path.read_bytes().splitlines()[0])["incident"]["title"] == text


async def test_without_a_file_a_notice_goes_to_the_log():
    net = network(Watch())
    with structlog.testing.capture_logs() as lines:
        await CHANNELS["log"].send(notice(incident()), LogOptions(), Means(net))
    await net.aclose()
    assert lines[0]["event"] == "notice"
    assert lines[0]["incident"]["number"] == 1
