"""Servers of the proof's own, on free ports of loopback: a receiver, and a site with a certificate.

The receiver stands for whoever Alertmanager and the monitor tell: what is posted to `/alerts` and
`/watchdog` are Alertmanager's notifications, `/takes` takes every page and `/refuses` none. The
site answers over TLS with a certificate that has ten days left, and says that most of a quota is
used up.
"""

import json
import ssl
import threading
import time
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, Self

import trustme

CERTIFICATE_DAYS = 10
QUOTA = (("RateLimit-Limit", "1000"), ("RateLimit-Remaining", "100"))


@dataclass(frozen=True, slots=True)
class Told:
    """One alert of a notification; `at` is monotonic, `words` are its summary."""

    at: float
    alert: str
    status: str
    place: str
    words: str


@dataclass(slots=True)
class Inbox:
    """What has arrived so far."""

    alerts: list[Told] = field(default_factory=list)
    pages: int = 0

    def take(self, place: str, body: bytes) -> int:
        """Note what was posted; the status to answer with."""
        if place == "/refuses":
            return 400
        if place == "/takes":
            self.pages += 1
            return 202
        for alert in json.loads(body)["alerts"]:
            name = alert["labels"]["alertname"]
            words = alert["annotations"]["summary"]
            self.alerts.append(Told(time.monotonic(), name, alert["status"], place, words))
        return 200


class Server:
    """An HTTP server in threads of its own, open inside `with`."""

    def __init__(self, answers: type[BaseHTTPRequestHandler], tls: ssl.SSLContext | None) -> None:
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), answers)
        self._server.daemon_threads = True
        if tls is not None:
            listening = self._server.socket
            self._server.socket = tls.wrap_socket(
                listening, server_side=True, do_handshake_on_connect=False
            )
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,))

    @property
    def port(self) -> int:
        """Where it listens."""
        return int(self._server.server_address[1])

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_exc: object) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()


class _Quiet(BaseHTTPRequestHandler):
    """Answers that are not logged."""

    def log_message(self, *_args: Any) -> None:
        """Say nothing."""

    def _answer(self, status: int, body: bytes, *headers: tuple[str, str]) -> None:
        self.send_response(status)
        for name, value in (*headers, ("Content-Length", str(len(body)))):
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)


def receiver(inbox: Inbox) -> Server:
    """A receiver that puts everything into `inbox`."""

    class Answers(_Quiet):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            self._answer(inbox.take(self.path, body), b"{}")

    return Server(Answers, None)


def site(folder: Path, now: datetime) -> tuple[Server, Path]:
    """A site at `https://localhost`, and the file of the authority that vouches for it."""
    authority = trustme.CA()
    ends = now + timedelta(days=CERTIFICATE_DAYS)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("localhost", not_after=ends).configure_cert(context)
    roots = folder / "roots.pem"
    authority.cert_pem.write_to_path(roots)

    class Answers(_Quiet):
        def do_GET(self) -> None:
            self._answer(200, b"Welcome\n", *QUOTA)

    return Server(Answers, context), roots
