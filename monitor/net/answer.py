"""One answer read off the wire: where it ends, how long it may be, and what is wrong with it.

llhttp reads it, but accepts too much and cannot be told what was asked for, so:

1. a head is gathered whole before it is parsed, counted against its limits as it comes;
2. its first line must be a status line of HTTP/1.0 or 1.1 with a status of 100 to 599; at most 8
   informational heads are dropped before the final one;
3. bare line feeds, folded lines and equal lengths given twice, which working sites send, are put
   right with a warning, or fail when `strict`; lengths that differ fail;
4. the end is found by framing: no body after HEAD, CONNECT, 204, 304 and a redirect that will be
   followed; else `Transfer-Encoding: chunked`, exactly so, in HTTP/1.1 and without a length; else
   the length; else the end of the connection;
5. trailers are dropped, and the first complete message is the answer: what comes after it is not
   looked at.

What breaks these is Failure(PROTOCOL); a body too long once decoded is Failure(BODY).
"""

from __future__ import annotations

import re
from collections.abc import Callable

import httptools
import httpx

from monitor.model import FailureKind
from monitor.net.coding import Body, body_of, too_long
from monitor.net.failure import Failure, shown
from monitor.net.limits import Limits

REDIRECTS = frozenset({301, 302, 303, 307, 308})
_INFORMATIONAL = 8
_BEGINNING = b"HTTP/1."
_END_OF_HEAD = re.compile(rb"\n\r?\n")
_FOLD = re.compile(rb"\r\n[ \t]+")
_STATUS_LINE = re.compile(rb"HTTP/1\.([01]) ([1-5][0-9][0-9])(?: ([^\r\n]*))?\r\n(?![ \t])")
_LENGTH = re.compile(rb"\r\ncontent-length:([^\r\n]*)(?=\r\n)", re.IGNORECASE)


class Answer:
    """Takes bytes in until it is `done`.

    `method` is that of the request; `warn` is told what was wrong but tolerated; with `redirects`
    the body of a redirect is not waited for.
    """

    def __init__(
        self,
        method: str,
        limits: Limits,
        warn: Callable[[str], None],
        *,
        strict: bool = False,
        redirects: bool = False,
    ) -> None:
        self.done = False
        self.status = 0
        self.reason = ""
        self.rest = b""
        self._method, self._limits, self._warn = method, limits, warn
        self._strict, self._redirects = strict, redirects
        self._version = b"1"
        self._headers: list[tuple[bytes, bytes]] = []
        self._buffer = bytearray()
        self._scanned = self._received = self._head_bytes = self._dropped = self._trailers = 0
        self._parser: httptools.HttpResponseParser | None = None
        self._body: Body | None = None
        self._pieces: list[bytes] = []
        self._decoded = self._until_close = False

    def feed(self, raw: bytes) -> None:
        """Take in what arrived. Raises Failure.

        What is over the limit counts only while the answer goes on: pieces decide nothing.
        """
        room = self._limits.wire_bytes - self._received
        self._received += len(raw)
        within, over = raw[:room], raw[room:]
        if self._parser is not None:
            self._parse(within)
        else:
            self._buffer += within
            self._read_heads()
        if over and not self.done:
            raise _broken(f"the answer is longer than {self._limits.wire_bytes} bytes on the wire")
        self.rest += over

    def end(self) -> None:
        """Take in that the connection ended. Raises Failure(RESET) unless that ends the answer."""
        if not self.done and not self._until_close:
            raise Failure(FailureKind.RESET, f"the connection was closed {self._where()}")
        self.done = True

    def response(self, request: httpx.Request) -> httpx.Response:
        """Make the response, its body read and decoded; what spoke of the coding is dropped.

        The coding is left in the extension "coding", "" where there was none.
        Raises Failure(PROTOCOL) when a coded body ends early.
        """
        body = self._body.finish() if self._body is not None else b""
        self._parser = None  # it refers back here, and the two would wait for the collector
        headers = self._headers
        coding = b""
        if self._decoded:
            coding = b", ".join(
                value for name, value in headers if name.lower() == b"content-encoding"
            )
            spoken_for = (b"content-encoding", b"content-length")
            headers = [each for each in headers if each[0].lower() not in spoken_for]
        response = httpx.Response(
            self.status,
            headers=headers,
            stream=httpx.ByteStream(body),
            request=request,
            extensions={
                "http_version": b"HTTP/1." + self._version,
                "reason_phrase": self.reason.encode("ascii", "replace"),
                "coding": coding.decode("latin-1"),
            },
        )
        # It is read already: to read it again, piece by piece, would cost as much as parsing it.
        response._content = body  # noqa: SLF001 - as `read` leaves it
        response.is_stream_consumed = response.is_closed = True
        return response

    # ------------------------------------------------------------------ heads

    def _read_heads(self) -> None:
        while self.status < 200:
            beginning = bytes(self._buffer[: len(_BEGINNING)])
            if not _BEGINNING.startswith(beginning):
                raise _broken(f'the answer is not HTTP/1: "{shown(bytes(self._buffer[:2000]))}"')
            end = _END_OF_HEAD.search(self._buffer, max(0, self._scanned - 2))
            size = end.end() if end else len(self._buffer)
            if self._head_bytes + size > self._limits.header_bytes:
                raise _broken(f"the head is longer than {self._limits.header_bytes} bytes")
            if end is None:
                self._scanned = size
                return
            head = bytes(self._buffer[:size])
            del self._buffer[:size]
            self._scanned = 0
            self._head_bytes += size
            self._read_head(head)
        self.rest = bytes(self._buffer)
        if self.rest and not self.done:
            self._parse(self.rest)

    def _read_head(self, head: bytes) -> None:
        head = self._tidied(head)
        match = _STATUS_LINE.match(head)
        if match is None:
            line = head.partition(b"\r\n")[0]
            raise _broken(f'the status line is not valid: "{shown(line)}"')
        if head.count(b"\n") - 2 > self._limits.header_lines:
            raise _broken(f"the head has more than {self._limits.header_lines} lines")
        self._version, self.reason = match[1], shown(match[3] or b"")
        self.status = int(match[2])
        if self.status >= 200:
            self._parser = httptools.HttpResponseParser(self)
            self._parse(self._one_length(head))
        else:
            self._drop()

    def _drop(self) -> None:
        """Count an informational head, which is of no further interest."""
        self._dropped += 1
        if self.status == 101:
            raise _broken("the server switched protocols without being asked")
        if self._dropped > _INFORMATIONAL:
            raise _broken(f"more than {_INFORMATIONAL} informational answers")

    def _tidied(self, head: bytes) -> bytes:
        if head.count(b"\n") != head.count(b"\r\n"):
            self._tolerate("lines of the head end in bare line feeds")
            head = head.replace(b"\r\n", b"\n").replace(b"\n", b"\r\n")
        if b"\n " in head or b"\n\t" in head:
            self._tolerate("lines of the head are folded")
            first, _, others = head.partition(b"\r\n")
            if others[:1] in (b" ", b"\t"):
                raise _broken("the status line is folded")
            head = first + b"\r\n" + _FOLD.sub(b" ", others)
        return head

    def _one_length(self, head: bytes) -> bytes:
        lengths = _LENGTH.findall(head)
        if len(lengths) < 2:
            return head
        if len({each.strip(b" \t") for each in lengths}) > 1:
            raise _broken("two content lengths that differ")
        self._tolerate("the content length is given twice")
        return _LENGTH.sub(b"", head, count=len(lengths) - 1)

    def _tolerate(self, what: str) -> None:
        if self._strict:
            raise _broken(f"{what} (strict_http)")
        self._warn(what)

    # ------------------------------------------------------------------ llhttp

    def _parse(self, raw: bytes) -> None:
        if self._parser is None:
            return
        try:
            self._parser.feed_data(raw)
        except httptools.HttpParserError as error:
            self._decode()
            if self.done:
                self._warn("there are bytes after the end of the answer")
            elif isinstance(error, httptools.HttpParserCallbackError) and error.__context__:
                raise error.__context__ from None
            else:
                raise _broken(f"the answer is not valid HTTP: {error}") from None
        else:
            self._decode()

    def _decode(self) -> None:
        """Decode what came of the body at once: chunks of one byte each would cost too much."""
        if self._body is not None and self._pieces:
            raw = b"".join(self._pieces)
            self._pieces.clear()
            self._body.feed(raw)

    def on_header(self, name: bytes, value: bytes) -> None:
        """Take a header, or drop a trailer (for llhttp)."""
        if self._body is None and not self.done:
            self._headers.append((name, value))
            return
        self._trailers += 1
        if self._trailers > self._limits.header_lines:
            raise _broken(f"more than {self._limits.header_lines} trailers")

    def on_headers_complete(self) -> None:
        """Decide where the answer ends (for llhttp)."""
        if self.done:
            return
        said = [(name.lower(), value) for name, value in self._headers]
        encodings = [value for name, value in said if name == b"transfer-encoding"]
        length = next((value for name, value in said if name == b"content-length"), None)
        self._check_framing(encodings, length)
        if self._is_bodiless({name for name, _ in said}):
            self.done = True
            return
        self._until_close = not encodings and length is None
        coding = b",".join(value for name, value in said if name == b"content-encoding")
        self._expect_body(coding.decode("latin-1"), length)

    def on_body(self, raw: bytes) -> None:
        """Take in a piece of the body (for llhttp)."""
        if self._body is not None and not self.done:
            self._pieces.append(raw)

    def on_message_complete(self) -> None:
        """Note the end of the message (for llhttp)."""
        self.done = True

    def _check_framing(self, encodings: list[bytes], length: bytes | None) -> None:
        if not encodings:
            return
        if len(encodings) > 1 or encodings[0].lower() != b"chunked":
            said = shown(b", ".join(encodings))
            raise _broken(f'the transfer encoding is not chunked, exactly so: "{said}"')
        if self._version == b"0":
            raise _broken("a transfer encoding in HTTP/1.0")
        if length is not None:
            raise _broken("a content length along with a transfer encoding")

    def _is_bodiless(self, names: set[bytes]) -> bool:
        followed = self._redirects and self.status in REDIRECTS and b"location" in names
        return self._method in ("HEAD", "CONNECT") or self.status in (204, 304) or followed

    def _expect_body(self, coding: str, length: bytes | None) -> None:
        self._body = body_of(coding, self._limits.body_bytes)
        self._decoded = coding.strip().lower() not in ("", "identity")
        if self._decoded:
            self._warn(f"the body came coded though identity was asked for: {shown(coding)}")
        elif length is not None and int(length) > self._limits.body_bytes:
            raise too_long(self._limits.body_bytes)

    def _where(self) -> str:
        if not self._received:
            return "before the first byte of the answer"
        return "within the head of the answer" if self.status < 200 else "within the body"


def _broken(message: str) -> Failure:
    return Failure(FailureKind.PROTOCOL, message)
