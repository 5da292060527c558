"""How much of a server's answer is taken in, and how long is waited for it."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Limits:
    """Limits per exchange. The deadline over the whole of a probe is the check's own timeout.

    dns, connect, tls: seconds for each of these phases; connect includes a proxy's answer.
    header_bytes, header_lines: of all heads of one answer together, and of any one of them.
    body_bytes: of the body after decoding; a longer one fails.
    wire_bytes: of everything received for one answer, framing included.
    redirects: how many are followed.
    evidence_bytes: how much of a body is kept as evidence.
    name_age: seconds an address is used without asking for it again, however long its TTL.
    """

    dns: float = 3.0
    connect: float = 3.0
    tls: float = 5.0
    header_bytes: int = 65536
    header_lines: int = 100
    body_bytes: int = 262144
    wire_bytes: int = 1048576
    redirects: int = 5
    evidence_bytes: int = 4096
    name_age: float = 30.0
