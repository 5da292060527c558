"""Mail: what leaves by SMTP, and what is made of a server's answers."""

from __future__ import annotations

import asyncio
import re
import socket
import ssl
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import UTC, timedelta
from email.utils import parsedate_to_datetime

import pytest
import structlog
import trustme
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from monitor.channels import CHANNELS, Means
from monitor.channels.mail import AGAIN_SECONDS, TRIES, MailOptions, Security, _message
from monitor.model import Accepted, Action, DeliveryError, Message, Reporter
from monitor.net.limits import Limits
from monitor.net.network import Net
from monitor.net.redaction import Redactor
from monitor.net.secret import Secret
from tests.outbox_fixtures import START, Watch, incident, network, notice
from tests.receivers.smtp import CUT, HANG, flaw, mail_server

PASSWORD = Secret("a mail password")
ANN, BEN, CAT = "ann@example.com", "ben@example.com", "cat@example.com"


@pytest.fixture(scope="module")
def authority():
    return trustme.CA()


@pytest.fixture(scope="module")
def tls(authority):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1", "localhost").configure_cert(context)
    return context


@pytest.fixture(scope="module")
def ca_file(authority, tmp_path_factory):
    path = tmp_path_factory.mktemp("ca") / "ca.pem"
    authority.cert_pem.write_to_path(str(path))
    return str(path)


@asynccontextmanager
async def mailing(*, watch=None, tls=None, implicit=False, users=None, answers=None, **options):
    """A server that answers so, and a function that sends a notice through it."""
    net = network(watch or Watch())
    async with mail_server(tls=tls, implicit=implicit, users=users, answers=answers) as server:
        given = {"host": "127.0.0.1", "sender": "monitor@example.com", "to": (ANN,)}
        given |= {"port": server.port, "security": Security.NONE, "timeout": 30.0} | options
        made = MailOptions(**given)
        yield server, lambda said: CHANNELS["mail"].send(said, made, Means(net))
    await net.aclose()


async def refusal(said=None, **how):
    """The error with which a mail fails when its server answers so."""
    async with mailing(**how) as (server, send):
        with pytest.raises(DeliveryError) as caught:
            await send(said or notice(incident()))
    assert server.mails == []
    return caught.value


async def mailed(*said, **how):
    """The mails that a server has after these notices."""
    async with mailing(**how) as (server, send):
        for each in said:
            await send(each)
    return server.mails


# --------------------------------------------------------------------------- the message


async def test_a_mail_says_what_the_notice_says_and_goes_to_everybody():
    (mail,) = await mailed(notice(incident()), to=(ANN, BEN))
    assert mail.sender == mail.message["From"] == "monitor@example.com"
    assert mail.recipients == (ANN, BEN)
    assert mail.message["To"] == f"{ANN}, {BEN}"
    assert mail.message["Subject"] == "CRITICAL: CRM is down for all users"
    assert mail.message["Auto-Submitted"] == "auto-generated"
    assert parsedate_to_datetime(mail.message["Date"]) == START
    assert mail.text.splitlines() == [
        "CRITICAL: CRM is down for all users",
        "",
        "Began 02:13 London time.",
        "Incident: http://127.0.0.1:8365/incidents/1",
    ]


@pytest.mark.parametrize("action", Action)
async def test_every_action_is_a_mail_of_its_own(action):
    (mail,) = await mailed(notice(incident(), action=action))
    assert mail.message["Subject"] == "CRITICAL: CRM is down for all users"


async def test_a_notice_about_no_incident_is_a_mail_too():
    about_none = Message("The monitor is blind", ("No control answers.",), None)
    (mail,) = await mailed(replace(notice(incident()), message=about_none, incident_id=None))
    assert mail.text.splitlines() == ["The monitor is blind", "", "No control answers."]


async def test_a_late_mail_says_so_first():
    watch = Watch()
    watch.passes(3600)
    (mail,) = await mailed(notice(incident()), watch=watch)
    late = "[LATE by 1 h 0 min] CRITICAL: CRM is down for all users"
    assert mail.message["Subject"] == mail.text.splitlines()[0] == late


async def test_the_id_is_the_same_on_every_attempt_and_another_for_another_notice():
    said = notice(incident())
    again = replace(said, attempts=2)
    other = notice(incident(), action=Action.RESOLVE, seq=2)
    first, second, third = await mailed(said, again, other)
    assert first.message["Message-ID"] == second.message["Message-ID"]
    assert first.message["Message-ID"] == (
        "<01J00000000000000000000000.01J00000000000000000000001.pager.trigger.1@example.com>"
    )
    assert third.message["Message-ID"] != first.message["Message-ID"]


async def test_the_id_is_what_the_receiver_calls_it():
    async with mailing() as (server, send):
        accepted = await send(notice(incident()))
    assert accepted == Accepted(server.mails[0].message["Message-ID"].strip("<>"))


async def test_mails_of_one_alert_refer_to_one_root_and_those_of_another_do_not():
    said = [notice(incident(), action=a, seq=n) for n, a in enumerate(Action, start=1)]
    *own, other = await mailed(*said, notice(incident(2)))
    roots = {mail.message["References"] for mail in own}
    assert roots == {"<01J00000000000000000000000.01J00000000000000000000001.pager@example.com>"}
    assert {mail.message["In-Reply-To"] for mail in own} == roots
    assert other.message["References"] not in roots
    assert not roots & {mail.message["Message-ID"] for mail in own}


async def test_ids_of_long_names_still_thread():
    said = notice(incident(), channel="c" * 63)
    (mail,) = await mailed(said)
    for name in (b"Message-ID", b"References", b"In-Reply-To"):
        (line,) = [each for each in mail.raw.split(b"\r\n") if each.startswith(name + b": ")]
        assert line.endswith(b"@example.com>")


@pytest.mark.parametrize(
    "evil",
    [
        "down\r\nBcc: eve@example.org",
        "down\nBcc: eve@example.org",
        "down\r\n\r\nA body",
        "down\x00\x0b\x0c\x1b[31m",
        "down\u2028Bcc: eve@example.org",
        "down\u0085Bcc: eve@example.org",
        "\ud800 half a pair",
        "=?utf-8?q?down=0D=0ABcc:_eve@example.org?=",
        "=?utf-8?q?down=0D=0A=0D=0AA_body?=",
        "==??utf-8?b?ZG93bg0KQmNjOiBldmVAZXhhbXBsZS5vcmc=?=",
        "=?utf-8?b?!!!?=",
        "\r\n.\r\nMAIL FROM:<eve@example.org>",
    ],
)
async def test_remote_text_ends_neither_a_header_nor_the_message(evil):
    said = notice(incident())
    message = replace(said.message, headline=evil, lines=(evil, f"Error: {evil}"))
    (mail,) = await mailed(replace(said, message=message))
    assert mail.message["Bcc"] is None
    assert mail.recipients == (ANN,)
    assert len(mail.message.keys()) == len(set(mail.message.keys())) == 11
    assert len(mail.text.splitlines()) == 5
    assert "\x1b" not in mail.text


async def test_what_is_not_ascii_arrives_as_it_was():
    said = notice(incident(title="CRM \u2014 caf\u00e9 \U0001f469\u200d\U0001f680 e\u0301"))
    (mail,) = await mailed(said)
    assert mail.message["Subject"] == f"CRITICAL: {said.message.incident.title}"
    assert mail.text.splitlines()[0] == f"CRITICAL: {said.message.incident.title}"


async def test_a_long_subject_is_cut_by_whole_characters_and_the_body_has_all():
    title = "x" * 188 + "e\u0301" * 20
    (mail,) = await mailed(notice(incident(title=title)))
    assert mail.message["Subject"] == "CRITICAL: " + "x" * 188 + "\u2026"
    assert mail.text.splitlines()[0] == f"CRITICAL: {title}"


@settings(suppress_health_check=[HealthCheck.too_slow])
@given(st.text(max_size=1500), st.text(max_size=3000))
def test_any_text_is_seven_bits_in_short_lines_and_reads_back(headline, line):
    said = notice(incident())
    said = replace(said, message=replace(said.message, headline=headline, lines=(line,)))
    options = MailOptions("127.0.0.1", "monitor@example.com", (ANN,))
    message = _message(said, options, (ANN,), START)
    assert flaw(message.as_bytes()) is None
    assert len(message.get_content().splitlines()) in {3, 4}


# --------------------------------------------------------------------------- reporters


def answer_to(contact):
    said = notice(incident(), action=Action.TELL)
    message = Message(
        "Your report R1 was received",
        ("We are looking into it.",),
        None,
        {"Status": "http://127.0.0.1:8365/reports/R1"},
        report=Reporter("R1", contact, "acme"),
    )
    return replace(said, message=message, incident_id=None)


async def test_a_reporter_is_written_to_where_the_options_allow_it():
    (mail,) = await mailed(answer_to("dora@customer.example"), to_reporter=True)
    assert mail.recipients == ("dora@customer.example",)
    assert mail.text.splitlines() == [
        "Your report R1 was received",
        "",
        "We are looking into it.",
        "Status: http://127.0.0.1:8365/reports/R1",
    ]


@pytest.mark.parametrize(
    ("contact", "allowed"),
    [
        ("dora@customer.example", False),
        ("+44 20 7946 0000", True),
        ("", True),
        ("dora@customer.example, eve@example.org", True),
        ("Dora <dora@customer.example>", True),
        ("dora@customer.example\r\nBcc: eve@example.org", True),
        ("d\u00f6ra@customer.example", True),
    ],
)
async def test_any_other_answer_goes_to_who_is_named_and_says_for_whom_it_is(contact, allowed):
    (mail,) = await mailed(answer_to(contact), to_reporter=allowed)
    assert mail.recipients == (ANN,)
    assert mail.text.splitlines()[2].startswith("This is for whoever reported R1 (")
    assert mail.message["Bcc"] is None


# --------------------------------------------------------------------------- security


async def test_starttls_and_a_password(tls, ca_file):
    (mail,) = await mailed(
        notice(incident()),
        tls=tls,
        users={"monitor": PASSWORD.reveal()},
        security=Security.STARTTLS,
        ca_file=ca_file,
        username="monitor",
        password=PASSWORD,
    )
    assert (mail.secure, mail.user) == (True, "monitor")


async def test_tls_from_the_first_byte(tls, ca_file):
    (mail,) = await mailed(
        notice(incident()),
        tls=tls,
        implicit=True,
        users={"monitor": PASSWORD.reveal()},
        security=Security.TLS,
        ca_file=ca_file,
        username="monitor",
        password=PASSWORD,
    )
    assert (mail.secure, mail.user) == (True, "monitor")


async def test_nothing_leaves_in_the_clear_where_starttls_is_not_offered():
    error = await refusal(security=Security.STARTTLS)
    assert not error.permanent
    assert "STARTTLS" in str(error)


async def test_nothing_leaves_in_the_clear_to_a_server_without_extensions():
    error = await refusal(security=Security.STARTTLS, answers={"EHLO": "502 not known"})
    assert not error.permanent
    assert "STARTTLS" in str(error)


@pytest.mark.parametrize(("said", "permanent"), [("454 later", False), ("501 never", True)])
async def test_nothing_leaves_in_the_clear_where_starttls_is_refused(tls, ca_file, said, permanent):
    how = {"tls": tls, "security": Security.STARTTLS, "ca_file": ca_file}
    error = await refusal(answers={"STARTTLS": said}, **how)
    assert error.permanent is permanent


@pytest.mark.parametrize("security", [Security.STARTTLS, Security.TLS])
async def test_a_server_that_cannot_prove_itself_gets_nothing(tls, security):
    error = await refusal(tls=tls, implicit=security is Security.TLS, security=security)
    assert not error.permanent
    assert "certificate" in str(error).lower()


async def test_a_server_of_another_name_gets_nothing(authority, ca_file):
    other = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("mail.example.com").configure_cert(other)
    error = await refusal(tls=other, security=Security.STARTTLS, ca_file=ca_file)
    assert "certificate" in str(error).lower()


async def test_authorities_that_cannot_be_read_are_named(tmp_path):
    (tmp_path / "ca.pem").write_text("no certificate")
    path = str(tmp_path / "ca.pem")
    error = await refusal(security=Security.STARTTLS, ca_file=path)
    assert str(error).startswith("tls.ca_file: holds no authorities in PEM")
    assert not error.permanent


async def test_an_address_that_may_not_be_contacted_is_not():
    net = Net(Watch().clock, Limits(), (), Redactor(()))
    async with mail_server() as server:
        options = MailOptions("127.0.0.1", "monitor@example.com", (ANN,), server.port)
        with pytest.raises(DeliveryError, match="allow_private"):
            await CHANNELS["mail"].send(notice(incident()), options, Means(net))
    await net.aclose()
    assert server.steps == []


# --------------------------------------------------------------------------- answers

STEPS = ["CONNECT", "AUTH", "MAIL", "RCPT", "DATA"]


def answering(tls, ca_file, step, said):
    """How a server is set up that goes through every step, and answers so at one of them."""
    return {
        "tls": tls,
        "ca_file": ca_file,
        "security": Security.STARTTLS,
        "users": {"monitor": PASSWORD.reveal()},
        "username": "monitor",
        "password": PASSWORD,
        "answers": {step: said},
    }


@pytest.mark.parametrize("step", STEPS)
async def test_4xx_may_pass(tls, ca_file, step):
    error = await refusal(**answering(tls, ca_file, step, "451 4.3.0 busy,  try later"))
    assert not error.permanent
    assert str(error) == "the server answered 451: 4.3.0 busy, try later"


@pytest.mark.parametrize("step", STEPS)
async def test_5xx_is_permanent(tls, ca_file, step):
    error = await refusal(**answering(tls, ca_file, step, "550 5.7.1 not you"))
    assert error.permanent
    assert str(error) == "the server answered 550: 5.7.1 not you"


@pytest.mark.parametrize("step", ["CONNECT", "EHLO", "STARTTLS", "MAIL", "RCPT", "DATA"])
async def test_a_connection_that_is_cut_may_pass(tls, ca_file, step):
    error = await refusal(**answering(tls, ca_file, step, CUT))
    assert not error.permanent
    assert str(error)


@pytest.mark.parametrize("step", ["CONNECT", "EHLO", "STARTTLS", "MAIL", "RCPT", "DATA"])
async def test_a_server_that_hangs_is_left_after_the_timeout_and_may_pass(tls, ca_file, step):
    async with asyncio.timeout(30):
        error = await refusal(timeout=0.3, **answering(tls, ca_file, step, HANG))
    assert not error.permanent
    assert str(error) == "no answer within 0.3 s"


async def test_an_answer_that_is_lost_may_pass_and_the_repetition_has_the_same_id():
    async with mailing(answers={"DATA": "lose it"}) as (server, send):
        with pytest.raises(DeliveryError) as caught:
            await send(notice(incident()))
        del server.answers["DATA"]
        await send(replace(notice(incident()), attempts=2))
    assert not caught.value.permanent
    first, second = server.mails
    assert first.message["Message-ID"] == second.message["Message-ID"]


async def test_a_server_that_speaks_something_else_may_pass():
    error = await refusal(answers={"CONNECT": "SSH-2.0-OpenSSH"})
    assert not error.permanent
    assert str(error).startswith("the server speaks no SMTP: ")


@pytest.mark.parametrize("said", ["421 closing", "500 what", CUT])
async def test_what_is_said_in_parting_changes_nothing(said):
    assert len(await mailed(notice(incident()), answers={"QUIT": said})) == 1


async def test_a_wrong_password_is_permanent_and_not_in_the_error(tls, ca_file):
    how = answering(tls, ca_file, "NONE", "") | {"users": {"monitor": "another"}}
    error = await refusal(**how)
    assert error.permanent
    assert PASSWORD.reveal() not in str(error)


async def test_a_server_that_repeats_a_secret_does_not_get_it_into_the_error():
    net = Net(Watch().clock, Limits(), network(Watch())._allow, Redactor([PASSWORD]))
    async with mail_server(answers={"MAIL": f"550 {PASSWORD.reveal()}\x1b[31m"}) as server:
        options = MailOptions(
            "127.0.0.1", "monitor@example.com", (ANN,), server.port, Security.NONE
        )
        with pytest.raises(DeliveryError) as caught:
            await CHANNELS["mail"].send(notice(incident()), options, Means(net))
    await net.aclose()
    assert str(caught.value) == "the server answered 550: ***?[31m"


async def test_a_server_that_is_not_there_may_pass():
    net = network(Watch())
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        options = MailOptions(
            "127.0.0.1", "monitor@example.com", (ANN,), taken.getsockname()[1], Security.NONE
        )
        with pytest.raises(DeliveryError) as caught:
            await CHANNELS["mail"].send(notice(incident()), options, Means(net))
    await net.aclose()
    assert not caught.value.permanent
    assert "refused" in str(caught.value)


# --------------------------------------------------------------------------- some recipients


async def sent(send, *, last_error=None, attempts=1):
    """Send once more; the error there was, or None."""
    try:
        await send(replace(notice(incident()), last_error=last_error, attempts=attempts))
    except DeliveryError as error:
        return error
    return None


async def test_who_is_refused_for_good_does_not_keep_the_others_from_it_and_is_logged():
    answers = {f"RCPT {BEN}": "550 no such user"}
    with structlog.testing.capture_logs() as lines:
        (mail,) = await mailed(notice(incident()), to=(ANN, BEN), answers=answers)
    assert mail.recipients == (ANN,)
    assert mail.message["To"] == f"{ANN}, {BEN}"
    (line,) = lines
    assert (line["refused"], line["log_level"]) == ([BEN], "warning")


async def test_who_is_put_off_is_tried_again_alone():
    answers = {f"RCPT {BEN}": "450 try later"}
    async with mailing(to=(ANN, BEN, CAT), answers=answers) as (server, send):
        error = await sent(send)
        assert (error.permanent, error.retry_after) == (False, AGAIN_SECONDS)
        assert str(error) == f"not taken for {BEN} (1 of 3): the server answered 450: try later"
        server.answers.clear()
        assert await sent(send, last_error=str(error), attempts=2) is None
    assert [mail.recipients for mail in server.mails] == [(ANN, CAT), (BEN,)]
    assert len({mail.message["Message-ID"] for mail in server.mails}) == 1


async def test_who_is_put_off_again_and_again_is_given_up_and_logged():
    answers = {f"RCPT {BEN}": "450 mailbox full"}
    async with mailing(to=(ANN, BEN), answers=answers) as (server, send):
        error, count = await sent(send), 1
        with structlog.testing.capture_logs() as lines:
            while error is not None and count < 9:
                error, count = (
                    await sent(send, last_error=str(error), attempts=count + 1),
                    count + 1,
                )
    assert count == TRIES + 1
    assert [mail.recipients for mail in server.mails] == [(ANN,)]
    assert lines[0]["refused"] == [BEN]


async def test_another_failure_on_the_way_does_not_make_the_others_get_it_twice():
    answers = {f"RCPT {BEN}": "450 try later"}
    async with mailing(to=(ANN, BEN), answers=answers) as (server, send):
        first = await sent(send)
        server.answers = {"CONNECT": "421 not now"}
        second = await sent(send, last_error=str(first), attempts=2)
        server.answers = {}
        assert await sent(send, last_error=str(second), attempts=3) is None
    assert [mail.recipients for mail in server.mails] == [(ANN,), (BEN,)]


async def test_who_is_named_no_more_is_not_waited_for():
    left = f"not taken for {CAT} (1 of 3): the server answered 450: try later"
    async with mailing(to=(ANN, BEN)) as (server, send):
        assert await sent(send, last_error=left, attempts=2) is None
    assert server.mails[0].recipients == (ANN, BEN)


@pytest.mark.parametrize(
    ("first", "second", "permanent"),
    [("550 no", "550 no", True), ("450 later", "550 no", False), ("550 no", "450 later", False)],
)
async def test_where_nobody_is_taken_one_who_may_be_later_is_enough_to_try_again(
    first, second, permanent
):
    answers = {f"RCPT {ANN}": first, f"RCPT {BEN}": second}
    error = await refusal(to=(ANN, BEN), answers=answers)
    assert error.permanent is permanent


# --------------------------------------------------------------------------- options

GOOD = {"host": "mail.example.com", "sender": "monitor@example.com", "to": (ANN,)}


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"sender": "monitor"}, "sender: is no mail address: write name@example.com"),
        ({"sender": "a@b\r\nBcc: c@d"}, "sender: is no mail address: write name@example.com"),
        ({"to": ()}, "to: is empty: name at least one mail address"),
        ({"to": (ANN, "Ben")}, "to: holds what is no mail address: write name@example.com"),
        ({"port": 65536}, "port: 65536 is no port: write one of 1 to 65535"),
        (
            {"username": "me"},
            "username: username and password belong together: give both or neither",
        ),
        (
            {"password": PASSWORD},
            "password: username and password belong together: give both or neither",
        ),
        (
            {"security": Security.NONE, "username": "me", "password": PASSWORD},
            "username: would leave unencrypted: use security starttls or tls",
        ),
        (
            {"security": Security.NONE, "ca_file": "/ca.pem"},
            "ca_file: proves nothing without security starttls or tls: remove it",
        ),
    ],
)
def test_options_that_cannot_be_meant_are_refused(changes, said):
    with pytest.raises(ValueError, match=f"^{re.escape(said)}$"):
        MailOptions(**GOOD | changes)


def test_options_show_no_password():
    made = MailOptions(**GOOD, username="me", password=PASSWORD)
    assert PASSWORD.reveal() not in repr(made)


async def test_the_date_is_in_utc():
    watch = Watch(at=(START + timedelta(seconds=1)).astimezone(UTC))
    (mail,) = await mailed(notice(incident()), watch=watch)
    assert mail.message["Date"].endswith(" +0000")
