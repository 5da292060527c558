"""A real SMTP server on loopback: STARTTLS, AUTH, answers by script; it keeps what it takes.

It is strict where servers are: nothing but ASCII, lines of at most 998 octets ended by CRLF, no
bare CR or LF or NUL, and what must be protected is not taken in the clear.
"""

from __future__ import annotations

import asyncio
import email
import email.policy
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from email.message import EmailMessage

from aiosmtpd.smtp import SMTP, AuthResult, Envelope, Session, syntax

HANG = "hang"
CUT = "cut"


@dataclass(frozen=True)
class Mail:
    """One mail as it was taken; `secure` tells whether it came by TLS, `user` who had proved it."""

    sender: str
    recipients: tuple[str, ...]
    raw: bytes
    secure: bool
    user: str | None

    @property
    def message(self) -> EmailMessage:
        return email.message_from_bytes(self.raw, policy=email.policy.default)

    @property
    def text(self) -> str:
        return self.message.get_content()


@dataclass
class MailServer:
    """`answers` are by step: CONNECT, EHLO, STARTTLS, AUTH, MAIL, RCPT, RCPT address, DATA, QUIT.

    An answer is a line such as "451 busy", HANG or CUT; where none is named, the server is content.
    "lose it" to DATA takes the mail and cuts the connection.
    `users` are names with their passwords; with any, nothing is taken from strangers.
    """

    tls: ssl.SSLContext | None
    implicit: bool
    users: dict[str, str]
    answers: dict[str, str] = field(default_factory=dict)
    mails: list[Mail] = field(default_factory=list)
    steps: list[str] = field(default_factory=list)
    port: int = 0
    connections: set[_Conversation] = field(default_factory=set)

    async def answer(self, conversation: _Conversation, step: str) -> str | None:
        self.steps.append(step)
        said = self.answers.get(step)
        if said == HANG:
            await asyncio.Event().wait()
        if said == CUT:
            conversation.transport.abort()
            await asyncio.Event().wait()
        return said

    def proved(self, _server, session, _envelope, _mechanism, given) -> AuthResult:
        self.steps.append("AUTH")
        said = self.answers.get("AUTH")
        if said is not None:
            return AuthResult(success=False, handled=False, message=said)
        name = given.login.decode()
        session.user = name
        good = self.users.get(name) == given.password.decode()
        return AuthResult(success=good, handled=good, auth_data=given)


class _Conversation(SMTP):
    """One connection: asks the script before each step."""

    def __init__(self, server: MailServer) -> None:
        self.script = server
        self._greeted = False
        super().__init__(
            self,
            hostname="mail.example.com",
            tls_context=None if server.implicit else server.tls,
            authenticator=server.proved,
            auth_require_tls=not server.implicit and server.tls is not None,
        )

    def connection_made(self, transport) -> None:
        self.script.connections.add(self)
        super().connection_made(transport)

    def connection_lost(self, error) -> None:
        self.script.connections.discard(self)
        super().connection_lost(error)

    async def push(self, status) -> None:
        if not self._greeted:
            self._greeted = True
            status = await self.script.answer(self, "CONNECT") or status
        await super().push(status)

    @syntax("EHLO hostname")
    async def smtp_EHLO(self, hostname) -> None:  # noqa: N802 - the library finds it by this name
        said = await self.script.answer(self, "EHLO")
        await (self.push(said) if said else super().smtp_EHLO(hostname))

    async def smtp_STARTTLS(self, arg) -> None:  # noqa: N802 - as above
        said = await self.script.answer(self, "STARTTLS")
        await (self.push(said) if said else super().smtp_STARTTLS(arg))

    async def smtp_QUIT(self, arg) -> None:  # noqa: N802 - as above
        said = await self.script.answer(self, "QUIT")
        await (self.push(said) if said else super().smtp_QUIT(arg))

    async def handle_MAIL(self, _server, session, envelope, address, _options) -> str:  # noqa: N802
        said = await self.script.answer(self, "MAIL")
        if said is None and self.script.users and not session.authenticated:
            said = "530 5.7.0 Authentication required"
        envelope.mail_from = address
        return said or "250 OK"

    async def handle_RCPT(self, _server, _session, envelope, address, _options) -> str:  # noqa: N802
        own = f"RCPT {address}"
        said = await self.script.answer(self, own if own in self.script.answers else "RCPT")
        if said is None:
            envelope.rcpt_tos.append(address)
        return said or "250 OK"

    async def handle_DATA(  # noqa: N802
        self, _server, session: Session, envelope: Envelope
    ) -> str:
        said = await self.script.answer(self, "DATA")
        fault = flaw(envelope.original_content)
        if said is None and fault is not None:
            said = f"554 5.6.0 {fault}"
        if said is None or said.startswith("lose "):
            secure = self._tls_protocol is not None or self.script.implicit
            user = getattr(session, "user", None) if session.authenticated else None
            to = tuple(envelope.rcpt_tos)
            raw = envelope.original_content
            self.script.mails.append(Mail(envelope.mail_from, to, raw, secure, user))
        if said is not None and said.startswith("lose "):
            self.transport.abort()
            await asyncio.Event().wait()
        return said or "250 OK"


def flaw(raw: bytes) -> str | None:
    """What a strict server finds wrong with a message; None when nothing is."""
    if not raw.isascii():
        return "8-bit data"
    if b"\0" in raw:
        return "NUL"
    lines = raw.split(b"\r\n")
    if any(b"\r" in line or b"\n" in line for line in lines):
        return "bare CR or LF"
    if any(len(line) > 998 for line in lines):
        return "line too long"
    return None


@asynccontextmanager
async def mail_server(
    *,
    tls: ssl.SSLContext | None = None,
    implicit: bool = False,
    users: dict[str, str] | None = None,
    answers: dict[str, str] | None = None,
) -> AsyncIterator[MailServer]:
    """Serve on a free port until the block ends; connections still open then are aborted."""
    server = MailServer(tls, implicit, dict(users or {}), dict(answers or {}))
    loop = asyncio.get_running_loop()
    listener = await loop.create_server(
        lambda: _Conversation(server), "127.0.0.1", 0, ssl=tls if implicit else None
    )
    server.port = listener.sockets[0].getsockname()[1]
    try:
        yield server
    finally:
        listener.close()
        for each in tuple(server.connections):
            each._handler_coroutine.cancel()
            if each.transport is not None:
                each.transport.abort()
        await asyncio.wait_for(listener.wait_closed(), 10)
