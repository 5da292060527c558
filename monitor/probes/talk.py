"""A conversation over a connection: what is waited for and what is said, step by step.

What arrives is kept by one stage (`Heard`) for the whole of the talk, and each step takes from it
what it waited for: what came early is there for the next step. Three bounds hold, whatever the
other side sends: bytes in all, bytes of a line, and lines in all, since each line costs a match.

A text that never comes is FAIL(body) once anything else came instead, FAIL(timeout) while nothing
did, and FAIL(reset) where the connection ended without a byte.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from monitor.model import FailureKind
from monitor.net.connection import Connection
from monitor.net.failure import Failure
from monitor.net.texts import Template
from monitor.net.tls import TlsSettings
from monitor.probes.assertions import mistakes, raise_all
from monitor.probes.patterns import capturing
from monitor.probes.templates import finished, places
from monitor.probes.text import Redact, quoted

LINE_BYTES = 65536
LINES = 4096
_SHOWN_BYTES = 32


@dataclass(frozen=True, slots=True)
class TalkStep:
    """One step: first what it waits for, then what it sends, then TLS; each may be left out.

    Raises ValueError naming every part that makes no sense.

    expect: a regular expression (RE2); lines are read until one matches. Its named groups are
        known to the steps after it, and to what this one sends, as {name}.
    expect_bytes: bytes in hex; read until they are found, wherever lines end.
    send: a text, sent with a line feed after it; end it with a carriage return where the protocol
        wants one.
    send_bytes: bytes in hex, sent as they are.
    starttls: go over to TLS.
    """

    expect: str | None = None
    expect_bytes: str | None = None
    send: Template | None = None
    send_bytes: str | None = None
    starttls: bool = False

    def __post_init__(self) -> None:
        raise_all(*self._mistakes())

    def _mistakes(self) -> Iterator[str]:
        yield from mistakes("expect", capturing, [] if self.expect is None else [self.expect])
        for name in ("expect_bytes", "send_bytes"):
            spelled = getattr(self, name)
            yield from mistakes(name, _from_hex, [] if spelled is None else [spelled])
        if self.expect is not None and self.expect_bytes is not None:
            yield "expect_bytes: give either expect or expect_bytes; a step waits for one thing"
        if self.send is not None and self.send_bytes is not None:
            yield "send_bytes: give either send or send_bytes; a step sends one thing"
        texts = (self.expect, self.expect_bytes, self.send, self.send_bytes)
        if not self.starttls and all(text is None for text in texts):
            yield "a step does something: give it expect, send or starttls"

    @property
    def captures(self) -> tuple[str, ...]:
        """The names that are known once the step has what it waits for."""
        return () if self.expect is None else tuple(capturing(self.expect).groupindex)

    @property
    def awaited(self) -> str:
        """What the step waits for, in words; "" when it waits for nothing."""
        if self.expect is not None:
            return f'a line that matches "{self.expect}"'
        return "" if self.expect_bytes is None else f"the bytes {self.expect_bytes}"


def misplaced(steps: Sequence[TalkStep]) -> Iterator[str]:
    """What is wrong with the order of steps: names that are sent before they are captured."""
    known: set[str] = set()
    captured = {name for step in steps for name in step.captures}
    for number, step in enumerate(steps, 1):
        known.update(step.captures)
        for name in places(step.send or ""):
            if name in captured - known:
                yield f"talk: step {number} sends {{{name}}}, which only a later step captures"


class Talk:
    """One conversation: `captured` is what its steps found so far, `over` goes through them."""

    def __init__(
        self, steps: Sequence[TalkStep], most: int, redact: Redact, given: Mapping[str, str]
    ) -> None:
        self.captured: dict[str, str] = {}
        self.heard = Heard(most)
        self._steps = steps
        self._redact = redact
        self._given = given
        self._waiting = ""

    async def over(self, connection: Connection, tls: TlsSettings) -> None:
        """Go through all steps. Raises Failure; `told` says of it what was waited for."""
        for number, step in enumerate(self._steps, 1):
            if step.awaited:
                self._waiting = f"step {number} waited for {step.awaited}"
                await self._hear(step, connection)
                self._waiting = ""
            if step.send is not None or step.send_bytes is not None:
                self.heard.turn()
            if step.send is not None:
                text = finished(step.send, {**self._given, **self.captured})
                connection.send(f"{text}\n".encode(errors="replace"))
            if step.send_bytes is not None:
                connection.send(_from_hex(step.send_bytes))
            if step.starttls:
                self.heard.expect_nothing(number)
                await connection.secure(tls)

    def told(self, failure: Failure) -> Failure:
        """The failure of a talk, with the step that waited, and what was last seen."""
        if not self._waiting:
            return failure
        kind = failure.kind
        if kind is FailureKind.TIMEOUT and self.heard.something:
            kind = FailureKind.BODY
        return Failure(kind, f"{self._waiting}: {failure}; {self.heard.last(self._redact)}")

    async def _hear(self, step: TalkStep, connection: Connection) -> None:
        if step.expect is not None:
            self.heard.wait_for_line(step.expect)
        elif step.expect_bytes is not None:
            self.heard.wait_for_bytes(_from_hex(step.expect_bytes))
        if not self.heard.done:
            await connection.hear(self.heard)
        self.captured.update(self.heard.groups)


class Heard:
    """What arrived, as a stage that waits for one thing at a time.

    `done` tells that it is there, `groups` what it captured; `something` that anything came in
    answer, whatever it was. `begun` is the beginning of all that arrived.
    """

    def __init__(self, most: int) -> None:
        self.done = self.something = self._old = False
        self.groups: Mapping[str, str] = {}
        self.begun = bytearray()
        self._most = most
        self._taken = self._lines = self._seen = 0
        self._buffer = bytearray()
        self._line: str | None = None
        self._wanted: Callable[[], bool] = lambda: True

    def wait_for_line(self, expression: str) -> None:
        """Wait for a line that matches; lines that do not are gone."""
        self._wait(lambda: self._found_line(expression))

    def wait_for_bytes(self, raw: bytes) -> None:
        """Wait for bytes, wherever they stand; what comes before them is gone."""
        self._wait(lambda: self._found_bytes(raw))

    def turn(self) -> None:
        """Take in that something is said: what is there by now is no answer to it."""
        self._old = True

    def expect_nothing(self, number: int) -> None:
        """See that all was read. Raises Failure: it would be taken for a part of TLS."""
        if self._buffer:
            size = len(self._buffer)
            message = f"step {number} begins TLS, but {size} bytes came before it; expect them too"
            raise Failure(FailureKind.PROTOCOL, message)

    def feed(self, raw: bytes) -> None:
        """Take in what arrived. Raises Failure."""
        self._taken += len(raw)
        if self._taken > self._most:
            message = f"more than {self._most} bytes came (limits.wire_bytes)"
            raise Failure(FailureKind.BODY, message)
        self.something, self._old = True, False
        if len(self.begun) < LINE_BYTES:
            self.begun += raw[: LINE_BYTES - len(self.begun)]
        self._buffer += raw
        self.done = self._wanted()

    def end(self) -> None:
        """Take in that the connection ended; what is left is a line too. Raises Failure."""
        if self._buffer:
            self._buffer += b"\n"
            self.done = self._wanted()
        if not self.done:
            kind = FailureKind.BODY if self._taken else FailureKind.RESET
            raise Failure(kind, "the connection was closed")

    def last(self, redact: Redact) -> str:
        """Say what was seen last."""
        if self._line is not None:
            return f'last line: "{quoted(self._line, redact)}"'
        if self._buffer:
            return f'last bytes: "{quoted(_text(self._buffer[-_SHOWN_BYTES:]), redact)}"'
        return "other bytes came" if self._taken else "nothing came"

    def _wait(self, wanted: Callable[[], bool]) -> None:
        self._wanted, self._seen, self.groups = wanted, 0, {}
        self.something = bool(self._buffer) and not self._old
        self.done = wanted()

    def _found_line(self, expression: str) -> bool:
        search = capturing(expression).search
        while (end := self._buffer.find(b"\n", self._seen)) >= 0:
            self._lines += 1
            self._bounded(end)
            line = self._line = _text(self._buffer[:end]).removesuffix("\r")
            del self._buffer[: end + 1]
            self._seen = 0
            found = search(line)
            if found is not None:
                self.groups = {name: text or "" for name, text in found.groupdict().items()}
                return True
        self._seen = len(self._buffer)
        self._bounded(self._seen)
        return False

    def _bounded(self, size: int) -> None:
        if size > LINE_BYTES:
            raise Failure(FailureKind.PROTOCOL, f"a line is longer than {LINE_BYTES} bytes")
        if self._lines > LINES:
            raise Failure(FailureKind.PROTOCOL, f"more than {LINES} lines came")

    def _found_bytes(self, raw: bytes) -> bool:
        at = self._buffer.find(raw, self._seen)
        if at < 0:
            self._seen = max(0, len(self._buffer) - len(raw) + 1)
            return False
        del self._buffer[: at + len(raw)]
        return True


def _text(raw: bytes | bytearray) -> str:
    return raw.decode(errors="replace")


def _from_hex(spelled: str) -> bytes:
    try:
        raw = bytes.fromhex(spelled)
    except ValueError:
        raise ValueError(f'"{spelled}" is no hex: write "0a ff"') from None
    if not raw:
        raise ValueError('is empty: write "0a ff"')
    return raw
