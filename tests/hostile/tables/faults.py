"""An honest server behind a proxy that is at fault, in every way at every point.

Left out is what the kernel decides by its timing (a reset or an end before the connection is
accepted), what nobody can see (one byte, slowly), and delays that add up to about a deadline.
"""

from __future__ import annotations

from monitor.model import FailureKind
from tests.hostile.case import Case, Peer
from tests.hostile.fault_proxy import FAULTS, POINTS, proxied

RESET, TIMEOUT = FailureKind.RESET, FailureKind.TIMEOUT
DEADLINE, LONG = 0.6, 5.0
UPWARDS = ("after accepting", "in the request")
SHAKING = ("in the ClientHello", "after the ServerHello")

EXPECTED = {
    "latency": (TIMEOUT, "no answer within 0.6 s", Peer.HANGS),
    "bandwidth": (TIMEOUT, "no answer within 0.6 s", Peer.HANGS),
    "reset": (RESET, "the connection was lost: connection reset by peer", Peer.RAISES),
    "blackhole": (TIMEOUT, "no answer within 0.6 s", Peer.RAISES),
    "slice": (None, "", Peer.READS),
    "truncate": (RESET, "the connection was closed", Peer.CONFUSES),
}
OTHERWISE = {
    **{("latency", each): (None, "", Peer.READS) for each in ("before accepting", *UPWARDS)},
    ("latency", "before the last byte"): (None, "", Peer.READS),
    **{("latency", each): (TIMEOUT, "TLS handshake", Peer.RAISES) for each in SHAKING},
    **{("bandwidth", each): (TIMEOUT, "TLS handshake", Peer.RAISES) for each in SHAKING},
    **{("bandwidth", each): (TIMEOUT, "the first byte", Peer.RAISES) for each in UPWARDS},
    **{("truncate", each): (RESET, "TLS handshake", Peer.RAISES) for each in SHAKING},
}
LEFT_OUT = {
    *((fault, "before accepting") for fault in ("reset", "truncate", "bandwidth", "slice")),
    *((fault, "before the last byte") for fault in ("bandwidth", "slice")),
    *(
        ("latency", point)
        for point in ("at the end of the headers", "in the body", "in a chunk header")
    ),
}


def _case(fault: str, point: str, *, secure: bool = False) -> Case:
    kind, says, peer = OTHERWISE.get((fault, point), EXPECTED[fault])
    return Case(
        f"{fault} {point}{' over TLS' if secure else ''}",
        proxied(fault, point, secure=secure),
        kind,
        says,
        peer,
        "deadline",
        LONG if kind is None else DEADLINE,
    )


CASES = (
    *(
        _case(fault, point)
        for point in POINTS
        for fault in FAULTS
        if (fault, point) not in LEFT_OUT
    ),
    *(
        _case(fault, point, secure=True)
        for point in ("before the first byte", "in the body", "before the last byte")
        for fault in ("reset", "blackhole", "truncate")
    ),
    _case("slice", "before the first byte", secure=True),
)
