"""The usual question for addresses, asked and read without ado.

Nearly every lookup is one question to the first name server and one datagram back, with nothing in
it but addresses of the very name. To have the library make, send and read that costs more CPU than
all else of a probe. What is not so plain (no answer, another name, a chain of names, a long or an
odd message) is nothing to this module: it says so, and the library asks again and judges.
"""

from __future__ import annotations

import os
import struct
from ipaddress import IPv4Address, IPv6Address

from monitor.net.datagram import asked_by_datagram

LONGEST = 512
"""Bytes of an answer that is read here; longer ones are rare."""

_HEADER = struct.Struct("!HHHHHH")
_RECORD = struct.Struct("!HHHIH")
_RECURSION_WANTED = 0x0100
_QUERY_BITS = 0xFA0F
"""Of the flags: an answer, its opcode, whether it was cut off, and the code of its result."""

_ANSWER_OK = 0x8000
_THE_NAME_ASKED = 0xC00C
_CLASS_IN = 1
_SIZES = {1: 4, 28: 16}


def question_of(name: bytes, record_type: int, number: bytes) -> bytes:
    """Write the question for a name on the wire, under an id of two bytes."""
    head = number + _HEADER.pack(0, _RECURSION_WANTED, 1, 0, 0, 0)[2:]
    return head + name + struct.pack("!HH", record_type, _CLASS_IN)


def answered(question: bytes, raw: bytes, record_type: int) -> tuple[tuple[str, ...], int] | None:
    """Read addresses and their TTL; None for an answer that is not plain."""
    if len(raw) > LONGEST or raw[12 : len(question)] != question[12:]:
        return None
    _, flags, questions, answers, _, _ = _HEADER.unpack_from(raw)
    if flags & _QUERY_BITS != _ANSWER_OK or questions != 1 or not answers:
        return None
    addresses, ttl, at = [], 2**31, len(question)
    for _ in range(answers):
        if at + _RECORD.size > len(raw):
            return None
        name, kind, kind_class, lasts, size = _RECORD.unpack_from(raw, at)
        at += _RECORD.size
        if (name, kind, kind_class) != (_THE_NAME_ASKED, record_type, _CLASS_IN):
            return None
        if size != _SIZES[record_type] or at + size > len(raw):
            return None
        addresses.append(_address(raw[at : at + size]))
        ttl = min(ttl, lasts if lasts < 2**31 else 0)
        at += size
    return tuple(addresses), ttl


def _address(raw: bytes) -> str:
    return str(IPv4Address(raw) if len(raw) == 4 else IPv6Address(raw))


async def looked_up(
    server: tuple[str, int], name: bytes, record_type: int
) -> tuple[tuple[str, ...], int] | None:
    """Ask a name server for the addresses of a name on the wire; None where it is not plain.

    Waits for ever: whoever calls brings the patience. Raises Failure(CONNECT).
    """
    number = os.urandom(2)
    question = question_of(name, record_type, number)

    def belongs(raw: bytes) -> bool:
        return raw[:2] == number and len(raw) >= _HEADER.size

    raw = await asked_by_datagram(*server, None, question, belongs)
    return answered(question, raw, record_type)
