"""Mail by SMTP: one message for one notice, to everybody who is named.

What is the same on every attempt is the Message-ID, made of the notice's key: mail programs that
meet it twice show it once. All mails of an alert refer to one root that was never sent, so that
they stand together. Remote text reaches a header only without line breaks and controls, and the
body only in quoted-printable: no text can end a header, a line or the message.

What was configured to be encrypted never leaves in the clear: without STARTTLS, or with a
certificate that does not hold, nothing is sent. By the answers:

    every recipient taken    accepted, once the server took the message itself
    5xx to some of them      accepted for the others, and said in the log
    4xx to some of them      sent to the others; these are tried again, alone, every five minutes
    5xx to all, or before    permanent
    anything else            may pass

Who was put off (4xx) stands in the error, which the notice keeps; so nobody gets twice what he has.
After TRIES of them the notice counts as accepted, or it would hold up for everybody what follows.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from email.headerregistry import HeaderRegistry, MessageIDHeader
from email.message import EmailMessage
from email.policy import EmailPolicy, Policy
from enum import StrEnum
from socket import socket

import aiosmtplib
import structlog

from monitor.channels import telling
from monitor.channels.kind import Means
from monitor.model import Accepted, DeliveryError, Notice
from monitor.net.failure import Failure, Unable, shown
from monitor.net.network import Net
from monitor.net.secret import Secret
from monitor.net.texts import FilePath
from monitor.net.tls import TlsSettings

_Answer = tuple[int, str]
"""What a server said: a code of three digits, and its words."""

TRIES = 3
"""How often recipients who were put off while others were served are tried again."""

AGAIN_SECONDS = 300.0
"""After how long: about what servers want who put strangers off at first."""

_ADDRESS = re.compile(
    r"[A-Za-z0-9.!#$%&'*+/=?^_`{|}~-]{1,64}@[A-Za-z0-9](?:[A-Za-z0-9.-]{0,251}[A-Za-z0-9])?"
)
_PUT_OFF = re.compile(r"not taken for (\S+) \(([0-9]+) of [0-9]+\): ")
_SUBJECT = 200
_GOODBYE = 2.0
_EXCERPT = 200


class _Ids(MessageIDHeader):
    """A header of ids: never folded, for what folds it codes long ids, and ends threads."""

    def fold(self, *, policy: Policy[EmailMessage]) -> str:
        """The line as it is sent."""
        return f"{self.name}: {self}{policy.linesep}"  # type: ignore[attr-defined]  # see its base


def _policy() -> EmailPolicy[EmailMessage]:
    """How mail is written: 7 bits, short lines."""
    registry = HeaderRegistry()
    for name in ("message-id", "in-reply-to", "references"):
        registry.map_to_type(name, _Ids)  # type: ignore[arg-type]  # mixed into BaseHeader there
    return EmailPolicy(linesep="\r\n", header_factory=registry)


_POLICY = _policy()


class Security(StrEnum):
    """How the way to the server is protected."""

    STARTTLS = "starttls"
    TLS = "tls"
    NONE = "none"


_PORTS = {Security.STARTTLS: 587, Security.TLS: 465, Security.NONE: 25}


@dataclass(frozen=True, slots=True)
class MailOptions:
    """Which server takes the mail, from whom and to whom. Raises ValueError naming each mistake.

    port: 587 for starttls, 465 for tls and 25 for none, unless given.
    to_reporter: what a customer's report is answered goes to the contact given with it where that
        is a mail address; without it, and otherwise, it goes to `to`.
    timeout: the seconds for everything from the connection to the answer.
    ca_file: authorities (PEM) that are believed instead of the system's.
    """

    host: str
    sender: str
    to: tuple[str, ...]
    port: int | None = None
    security: Security = Security.STARTTLS
    username: str | None = None
    password: Secret | None = None
    to_reporter: bool = False
    timeout: float = 30.0
    ca_file: FilePath | None = None

    def __post_init__(self) -> None:
        found = [*_address_mistakes(self)]
        if self.port is not None and self.port > 65535:
            found.append(f"port: {self.port} is no port: write one of 1 to 65535")
        if (self.username is None) != (self.password is None):
            key = "username" if self.password is None else "password"
            found.append(f"{key}: username and password belong together: give both or neither")
        elif self.username is not None and self.security is Security.NONE:
            found.append("username: would leave unencrypted: use security starttls or tls")
        if self.ca_file is not None and self.security is Security.NONE:
            found.append("ca_file: proves nothing without security starttls or tls: remove it")
        if found:
            raise ValueError("; ".join(found))


def _address_mistakes(options: MailOptions) -> list[str]:
    found = []
    if not _is_address(options.sender):
        found.append("sender: is no mail address: write name@example.com")
    if not options.to:
        found.append("to: is empty: name at least one mail address")
    elif not all(map(_is_address, options.to)):
        found.append("to: holds what is no mail address: write name@example.com")
    return found


def _is_address(text: str) -> bool:
    return _ADDRESS.fullmatch(text) is not None


@dataclass(frozen=True, slots=True)
class _Left:
    """Whom a notice is still to reach; `tried` is how often some were put off, 0 for a new one."""

    recipients: tuple[str, ...]
    tried: int = 0

    def error(self, reason: str) -> str:
        """What the notice is to keep of a failure, so that the next attempt knows who is left."""
        return f"not taken for {','.join(self.recipients)} ({self.tried} of {TRIES}): {reason}"


async def send(notice: Notice, options: MailOptions, means: Means) -> Accepted:
    """Send a notice once. Raises `DeliveryError`."""
    recipients = _recipients(notice, options)
    message = _message(notice, options, recipients, means.net.clock.wall())
    left = _left(notice, recipients)
    try:
        refused = await _handed_over(message, left.recipients, options, means.net)
    except DeliveryError as error:
        if left.tried:
            raise DeliveryError(left.error(str(error)), permanent=error.permanent) from error
        raise
    if refused:
        _judge(refused, left, means.net)
    return Accepted(_id(notice.key, options).strip("<>"))


def _left(notice: Notice, recipients: tuple[str, ...]) -> _Left:
    put_off = _PUT_OFF.match(notice.last_error or "")
    if put_off is None:
        return _Left(recipients)
    named = put_off[1].split(",")
    left = tuple(each for each in recipients if each in named)
    return _Left(left, int(put_off[2])) if left else _Left(recipients)


def _judge(refused: Mapping[str, _Answer], left: _Left, net: Net) -> None:
    """Return where the notice counts as accepted though some were refused. Raises DeliveryError."""
    reason = _reason(next(iter(refused.values())), net)
    later = tuple(address for address, (code, _) in refused.items() if code < 500)
    if not left.tried and len(refused) == len(left.recipients):
        raise DeliveryError(reason, permanent=not later)
    if later and left.tried < TRIES:
        waiting = _Left(later, left.tried + 1)
        raise DeliveryError(waiting.error(reason), retry_after=AGAIN_SECONDS)
    log = structlog.get_logger("monitor.channels.mail")
    log.warning("recipients refused a mail that others have", refused=list(refused), reason=reason)


def _recipients(notice: Notice, options: MailOptions) -> tuple[str, ...]:
    report = notice.message.report
    if report is not None and options.to_reporter and _is_address(report.contact):
        return (report.contact,)
    return options.to


# --------------------------------------------------------------------------- the message


def _message(
    notice: Notice, options: MailOptions, recipients: tuple[str, ...], now: datetime
) -> EmailMessage:
    message = EmailMessage(policy=_POLICY)
    message["From"] = options.sender
    message["To"] = ", ".join(recipients)
    message["Subject"] = _subject(telling.headline(notice, now))
    message["Date"] = now.astimezone(UTC)
    message["Message-ID"] = _id(notice.key, options)
    root = _id(f"{notice.dedup_key}:{notice.channel}", options)
    message["In-Reply-To"] = root
    message["References"] = root
    message["Auto-Submitted"] = "auto-generated"
    message.set_content(_body(notice, recipients, now), cte="quoted-printable")
    return message


def _subject(headline: str) -> str:
    # What looks like a coded word would be decoded here, line breaks that are coded in it included.
    return telling.cut(telling.one_line(headline).replace("=?", "= ?"), _SUBJECT)


def _id(key: str, options: MailOptions) -> str:
    """A key of ours as the id of a message, which may hold no colon."""
    return f"<{re.sub(r'[^A-Za-z0-9-]+', '.', key).strip('.')}@{options.sender.partition('@')[2]}>"


def _body(notice: Notice, recipients: tuple[str, ...], now: datetime) -> str:
    said = [telling.headline(notice, now), "", *_passed_on(notice, recipients)]
    return "\n".join(map(telling.one_line, [*said, *telling.complete(notice)])) + "\n"


def _passed_on(notice: Notice, recipients: tuple[str, ...]) -> tuple[str, ...]:
    """For whom a message to a reporter is, where it went to somebody else."""
    report = notice.message.report
    if report is None or recipients == (report.contact,):
        return ()
    contact = report.contact or "no contact was given"
    return (f"This is for whoever reported {report.reference} ({contact}).", "")


# --------------------------------------------------------------------------- the conversation


async def _handed_over(
    message: EmailMessage, recipients: tuple[str, ...], options: MailOptions, net: Net
) -> Mapping[str, _Answer]:
    """Hand a message to the server, and return whom it refused. Raises DeliveryError."""
    server = _server(options, net)
    try:
        async with asyncio.timeout(options.timeout):
            port = options.port or _PORTS[options.security]
            line = await net.connected_socket(options.host, port, deadline=options.timeout)
            await server.connect(sock=line, local_hostname=_own_name(line))
            refused, _ = await server.sendmail(options.sender, recipients, message.as_bytes())
        await _take_leave(server)
    except aiosmtplib.SMTPRecipientsRefused as error:
        return {each.recipient: (each.code, each.message) for each in error.recipients}
    except aiosmtplib.SMTPResponseException as error:
        answer = (error.code, error.message)
        raise DeliveryError(_reason(answer, net), permanent=error.code >= 500) from error
    except TimeoutError as error:
        raise DeliveryError(f"no answer within {options.timeout:g} s") from error
    except (aiosmtplib.SMTPException, Failure, OSError) as error:
        raise DeliveryError(_excerpt(str(error) or type(error).__name__, net)) from error
    else:
        return {address: (answer.code, answer.message) for address, answer in refused.items()}
    finally:
        server.close()


def _server(options: MailOptions, net: Net) -> aiosmtplib.SMTP:
    """The client, not yet connected. Raises DeliveryError where the authorities cannot be read."""
    try:
        context = net.tls_context(TlsSettings(ca_file=options.ca_file))
    except Unable as error:
        raise DeliveryError(str(error)) from error
    return aiosmtplib.SMTP(
        hostname=options.host,
        username=options.username,
        password=options.password.reveal() if options.password else None,
        use_tls=options.security is Security.TLS,
        start_tls=options.security is Security.STARTTLS,
        tls_context=context,
        timeout=options.timeout,
    )


def _own_name(line: socket) -> str:
    """How we greet: by our address, which unlike our name is known without asking anybody."""
    address = line.getsockname()[0]
    return f"[IPv6:{address}]" if ":" in address else f"[{address}]"


async def _take_leave(server: aiosmtplib.SMTP) -> None:
    """End the conversation in order; what comes of that changes nothing any more."""
    with suppress(aiosmtplib.SMTPException, OSError, TimeoutError):
        await server.quit(timeout=_GOODBYE)


def _reason(answer: _Answer, net: Net) -> str:
    code, words = answer
    said = f"the server answered {code}" if code > 0 else "the server speaks no SMTP"
    return f"{said}: {_excerpt(words, net)}"


def _excerpt(remote: str, net: Net) -> str:
    return shown(" ".join(net.redactor.text(remote).split()), _EXCERPT)
