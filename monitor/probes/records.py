"""What a DNS server answered, read with care.

dnspython reads the single names and records. Its own reading of a whole message compares records
with each other, and a few KiB made for the purpose keep it busy for seconds; so the message is
taken apart here, one record after the other, within bounds of bytes, records and text. What lies
beyond them is not read, and `Reply.unread` says so: an answer that long is judged by its beginning.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

import dns.exception
import dns.flags
import dns.message
import dns.name
import dns.opcode
import dns.rcode
import dns.rdata
import dns.rdataclass
import dns.rdatatype

READ_BYTES = 6144
READ_RECORDS = 256
READ_CHARS = 16384

_HEADER = struct.Struct("!HHHHHH")
_RECORD = struct.Struct("!HHIH")
_QUESTION = struct.Struct("!HH")
_RESPONSE, _TRUNCATED, _AUTHORITATIVE, _OPCODE, _RCODE = 0x8000, 0x0200, 0x0400, 0x7800, 0x000F


class Malformed(Exception):  # noqa: N818 - named for what the answer is
    """Bytes that are no DNS message; the text says where they stop being one."""


class Question(NamedTuple):
    """What is asked, under which id."""

    id: int
    name: dns.name.Name
    type: dns.rdatatype.RdataType


@dataclass(frozen=True, slots=True)
class Reply:
    """An answer; its records as lines of text, one space between their parts.

    Such as `example.org. 300 IN A 192.0.2.1`.
    `counts` are the records of each section as the answer says, `unread` how many of all were
    beyond the bounds.
    """

    rcode: str
    truncated: bool
    authoritative: bool
    answers: tuple[str, ...]
    authority: tuple[str, ...]
    additional: tuple[str, ...]
    counts: tuple[int, int, int]
    unread: int


def asked(question: Question, *, recursion: bool) -> bytes:
    """Write a question as a message."""
    flags = dns.flags.RD if recursion else 0
    query = dns.message.make_query(question.name, question.type, id=question.id, flags=flags)
    return query.to_wire()


def belongs(raw: bytes, question: Question) -> bool:
    """Whether bytes are the answer to a question, well formed or not.

    Some servers do not repeat the question they refuse.
    """
    if len(raw) < _HEADER.size:
        return False
    number, flags, questions, *_ = _HEADER.unpack_from(raw)
    if number != question.id or not flags & _RESPONSE:
        return False
    try:
        return _repeats(raw, question, flags, questions)
    except Malformed:
        return True


def read(raw: bytes) -> Reply:
    """Read an answer that belongs to its question. Raises Malformed."""
    _, flags, questions, *counts = _HEADER.unpack_from(raw)
    at = _HEADER.size
    for _ in range(min(questions, 1)):
        *_, at = _question(raw, at)
    sections: tuple[list[str], ...] = ([], [], [])
    numbered = (
        section for section, count in zip(sections, counts, strict=True) for _ in range(count)
    )
    lines = _records(raw, at, sum(counts))
    for line, section in zip(lines, numbered, strict=False):
        section.append(line)
    answers, authority, additional = map(tuple, sections)
    return Reply(
        rcode=dns.rcode.to_text(dns.rcode.Rcode.make(flags & _RCODE)),
        truncated=bool(flags & _TRUNCATED),
        authoritative=bool(flags & _AUTHORITATIVE),
        answers=answers,
        authority=authority,
        additional=additional,
        counts=(counts[0], counts[1], counts[2]),
        unread=sum(counts) - sum(map(len, sections)),
    )


def _repeats(raw: bytes, question: Question, flags: int, questions: int) -> bool:
    if flags & _OPCODE:
        return False
    if questions != 1:
        return questions == 0 and bool(flags & _RCODE)
    name, record_type, record_class, _ = _question(raw, _HEADER.size)
    asked_of = (question.name, question.type, dns.rdataclass.IN)
    return (name, record_type, record_class) == asked_of


def _question(raw: bytes, at: int) -> tuple[dns.name.Name, int, int, int]:
    name, at = _name(raw, at)
    record_type, record_class = _unpacked(_QUESTION, raw, at)
    return name, record_type, record_class, at + _QUESTION.size


def _records(raw: bytes, at: int, count: int) -> Iterator[str]:
    """The records in their order, as far as the bounds allow."""
    chars = 0
    for _ in range(min(count, READ_RECORDS)):
        if at > READ_BYTES or chars > READ_CHARS:
            return
        name, at = _name(raw, at)
        record_type, record_class, ttl, size = _unpacked(_RECORD, raw, at)
        at += _RECORD.size
        if at + size > len(raw):
            raise Malformed("a record is cut off")
        if at + size > READ_BYTES:
            return
        line = f"{name} {ttl} {_rest(raw, at, size, record_class, record_type)}"
        chars += len(line)
        at += size
        yield line


def _rest(raw: bytes, at: int, size: int, record_class: int, record_type: int) -> str:
    try:
        kind = dns.rdatatype.RdataType.make(record_type)
        of = dns.rdataclass.RdataClass.make(record_class)
        rdata = dns.rdata.from_wire(of, kind, raw, at, size)
        return f"{dns.rdataclass.to_text(of)} {dns.rdatatype.to_text(kind)} {rdata.to_text()}"
    except (dns.exception.DNSException, ValueError) as error:
        raise Malformed(f"a record cannot be read ({type(error).__name__})") from error


def _name(raw: bytes, at: int) -> tuple[dns.name.Name, int]:
    try:
        name, used = dns.name.from_wire(raw, at)
    except (dns.exception.DNSException, ValueError, IndexError) as error:
        raise Malformed(f"a name cannot be read ({type(error).__name__})") from error
    return name, at + used


def _unpacked(shape: struct.Struct, raw: bytes, at: int) -> tuple[int, ...]:
    try:
        return shape.unpack_from(raw, at)
    except struct.error as error:
        raise Malformed("a record is cut off") from error
