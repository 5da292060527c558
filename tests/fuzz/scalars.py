"""How single values of a configuration are spelled: variables, plain scalars, and what is made of
them, at the speed that the whole loader cannot have.

The first byte picks what the text is read as; the rest is the text, in UTF-8 as far as it goes.

What is promised: nothing but ValueError is raised, and it says something; what is wrong with a
variable is said without any value; what a number is read as is that number.
"""

from __future__ import annotations

import math
from datetime import date, datetime, time
from decimal import Decimal
from ipaddress import ip_network

from pydantic import BaseModel, ValidationError, create_model

from monitor.config import addresses, shape, spelling, tree
from monitor.config.variables import Substituted, substituted
from monitor.probes import templates
from monitor.probes.assertions import Expect
from tests.fuzz.config import ENVIRON, SECRET

_ALLOW = (ip_network("10.0.0.0/8"),)


def _model(kind) -> type[BaseModel]:
    return create_model("One", value=(kind, ...))


def _by_type(kind):
    model = _model(kind)

    def read(text: str) -> object:
        try:
            return model.model_validate({"value": text}).value
        except ValidationError as error:
            first = error.errors()[0]
            raise ValueError(str(first.get("ctx", {}).get("error", first["msg"]))) from None

    return read


READERS = (
    spelling.seconds,
    spelling.size,
    spelling.name,
    spelling.shown,
    templates.places,
    lambda text: addresses.url_mistake(text, _ALLOW),
    lambda text: Expect(json=(text,)),
    lambda text: Expect(body_matches=(text,)),
    _by_type(spelling.Count),
    _by_type(spelling.Share),
    _by_type(spelling.Factor),
    _by_type(spelling.Flag),
    _by_type(shape.Hours),
    _by_type(shape.WeeklyHours),
    _by_type(shape.Instant),
    _by_type(shape.Day),
    _by_type(shape.Network),
    _by_type(shape.NameServer),
    _by_type(shape.CalendarShape.model_fields["time_zone"].annotation),
)


def target(raw: bytes) -> None:
    text = raw[1:].decode("utf-8", "replace")
    reader = READERS[raw[0] % len(READERS)] if raw else spelling.shown
    value = _read(lambda written: substituted(written, ENVIRON), text)
    if isinstance(value, ValueError):
        assert SECRET in text or SECRET not in str(value), value
        return
    if "${" not in text:
        assert value == text
        assert not isinstance(value, Substituted)
    plain = _read(tree.plain, value)
    if isinstance(plain, int | float) and not isinstance(plain, bool):
        assert math.isfinite(plain)
        assert plain == float(Decimal(value)) or plain == int(value)
    _check(_read(reader, value))


def _read(reader, text: str) -> object:
    """What is read, or the error it is refused with."""
    try:
        return reader(text)
    except ValueError as error:
        return error


def _check(value: object) -> None:
    if isinstance(value, ValueError):
        assert str(value).strip()
    elif isinstance(value, float):
        assert math.isfinite(value)
        assert value >= 0
    elif isinstance(value, datetime | date | time):
        assert 1 <= getattr(value, "year", 2000) <= 9999
