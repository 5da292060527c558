"""How the values of a configuration are spelled, as pydantic types.

Scalars are strict: `yes` is no boolean, `5` is no text, `true` is no number. Only a substituted
value, which is text by nature, is read again as the scalar that is wanted. Durations are seconds,
or a number with a unit. One value may stand for a list of one.

`settings(cls)` makes the pydantic model of a core dataclass, so that a setting is declared once,
where it is used. A field typed `Secret` gets a twin `<field>_file`, the path of a file to read.
"""

from __future__ import annotations

import dataclasses
import functools
import operator
import re
import types
from collections.abc import Callable, Mapping
from dataclasses import MISSING, Field
from enum import Enum
from pathlib import Path
from typing import Annotated, Any, Union, cast, get_args, get_origin, get_type_hints

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    PlainValidator,
    ValidationInfo,
    create_model,
)

from monitor.config.tree import plain
from monitor.config.variables import Substituted
from monitor.net.secret import Secret
from monitor.net.texts import FilePath, FileText, Template, Url

MAX_SECONDS = 366 * 86400.0
MAX_SECRET_BYTES = 65536
MAX_TEXT_BYTES = 262144
SHOWN_CHARS = 80

_DURATION = re.compile(r"(\d{1,9}(?:\.\d{1,9})?)(ms|s|m|h|d)")
_SECONDS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}
_SIZE = re.compile(r"(\d{1,9})(KiB|MiB|GiB)")
_BYTES = {"KiB": 1 << 10, "MiB": 1 << 20, "GiB": 1 << 30}
_NAME = re.compile(r"[a-z0-9][a-z0-9-]{0,62}")
_SHARES = frozenset(
    {"vantage_fail_share", "pass_share", "coverage", "partial_share", "recovery_share"}
)
_FACTORS = frozenset({"silence_p99", "score_fail", "score_pass", "score_needed"})
_FROM_ZERO = frozenset({"redirects"})
_SIZES = frozenset({"max_bytes", "record_max_bytes"})


class Shape(BaseModel):
    """A mapping of known keys; any other key is a mistake."""

    model_config = ConfigDict(
        extra="forbid",
        frozen=True,
        arbitrary_types_allowed=True,
        alias_generator=lambda attribute: attribute.removesuffix("_"),
    )


def seconds(value: object) -> float:
    """A duration in seconds. Raises ValueError for what is none, or not within (0, 366 d]."""
    value = reread(value)
    if isinstance(value, str) and (match := _DURATION.fullmatch(value)):
        number = float(match[1]) * _SECONDS[match[2]]
    elif isinstance(value, int | float) and not isinstance(value, bool):
        number = float(value)
    else:
        raise ValueError(f"{shown(value)} is no duration: write 500ms, 30s, 5m, 2h or 1d")
    if not 0 < number <= MAX_SECONDS:
        raise ValueError(f"{shown(value)} must be more than 0 and at most 366d")
    return number


def size(value: object) -> int:
    """A size in bytes. Raises ValueError for what is none, or not within 1 byte and 1024 GiB."""
    value = reread(value)
    if isinstance(value, str) and (match := _SIZE.fullmatch(value)):
        value = int(match[1]) * _BYTES[match[2]]
    if not isinstance(value, int) or isinstance(value, bool):
        raise ValueError(f"{shown(value)} is no size: write 500MiB, 1GiB or a number of bytes")  # noqa: TRY004 - for pydantic
    if not 0 < value <= 1024 * _BYTES["GiB"]:
        raise ValueError(f"{shown(value)} must be more than 0 and at most 1024GiB")
    return value


def name(value: str) -> str:
    """A name as metrics, addresses and links can carry it. Raises ValueError for others."""
    if not _NAME.fullmatch(value):
        raise ValueError(
            f"`{value[:SHOWN_CHARS]}` is no name: use a-z, 0-9 and -, at most 63, "
            "beginning with a-z or 0-9"
        )
    return value


def shown(value: object) -> str:
    """A value as messages show it: what was written, never what a variable became."""
    if isinstance(value, Substituted):
        return f"`{value.written[:SHOWN_CHARS]}`"
    if value is None or value == "":
        return "nothing"
    if isinstance(value, bool):
        return f"`{str(value).lower()}`"
    if isinstance(value, Mapping):
        return "a mapping"
    if isinstance(value, str) and re.fullmatch(r"[0-9.]+|true|false", value):
        return f'`"{value[:SHOWN_CHARS]}"`'
    return "a list" if isinstance(value, list | tuple) else f"`{str(value)[:SHOWN_CHARS]}`"


def reread(value: object) -> object:
    """A substituted value as the plain scalar it spells; any other as it is."""
    return _keep_written(plain(value), value) if isinstance(value, Substituted) else value


def _keep_written(became: object, value: Substituted) -> object:
    return value if isinstance(became, str) else became


def _whole(value: object) -> int:
    value = reread(value)
    if not isinstance(value, int) or isinstance(value, bool):
        raise ValueError(f"{shown(value)} is no whole number")  # noqa: TRY004 - for pydantic
    return value


def _number(value: object) -> float:
    value = reread(value)
    if not isinstance(value, int | float) or isinstance(value, bool):
        raise ValueError(f"{shown(value)} is no number")  # noqa: TRY004 - for pydantic
    return float(value)


def _flag(value: object) -> bool:
    value = reread(value)
    if not isinstance(value, bool):
        raise ValueError(f"{shown(value)} is neither true nor false")  # noqa: TRY004 - for pydantic
    return value


def _text(value: object) -> str:
    if isinstance(value, str):
        return str(value)
    if value is None or isinstance(value, list | Mapping):
        raise ValueError(f"{shown(value)} is given where a text is needed")
    raise ValueError(f"{shown(value)} is no text: put it in quotes")


def _secret(value: object) -> Secret:
    if not isinstance(value, str | None):
        raise ValueError("is no text: write ${NAME}")  # noqa: TRY004 - for pydantic
    if not value:
        raise ValueError("is empty: give the variable a value")
    if not isinstance(value, Substituted):
        message = "a secret does not belong in this file: write ${NAME}, or name a file"
        raise ValueError(message)  # noqa: TRY004 - for pydantic
    return Secret(str(value))


def _secret_file(value: object, info: ValidationInfo) -> Secret:
    try:
        with _path(value, info).open("rb") as file:
            content = file.read(MAX_SECRET_BYTES).decode().strip()
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8"
        raise ValueError(f"{shown(value)} cannot be read: {reason}") from None
    if not content:
        raise ValueError(f"{shown(value)} is empty: write the secret into it")
    return Secret(content)


def _file_path(value: object, info: ValidationInfo) -> str:
    path = _path(value, info)
    try:
        with path.open("rb"):
            return str(path.absolute())
    except OSError as error:
        raise ValueError(f"{shown(value)} cannot be read: {error.strerror}") from None


def _file_text(value: object, info: ValidationInfo) -> str:
    try:
        with _path(value, info).open("rb") as file:
            content = file.read(MAX_TEXT_BYTES + 1)
        if len(content) > MAX_TEXT_BYTES:
            raise ValueError(f"{shown(value)} is longer than {MAX_TEXT_BYTES} bytes")
        return content.decode()
    except OSError as error:
        raise ValueError(f"{shown(value)} cannot be read: {error.strerror}") from None
    except UnicodeDecodeError:
        raise ValueError(f"{shown(value)} cannot be read: it is not UTF-8") from None


def _path(value: object, info: ValidationInfo) -> Path:
    """The path of a file that is named from the configuration's folder."""
    return Path((info.context or {}).get("folder", ".")) / _text(value)


def _within(low: float, high: float, read: Callable[[object], float]) -> Callable[[object], Any]:
    def check(value: object) -> float:
        number = read(value)
        if not low <= number <= high:
            raise ValueError(f"{shown(value)} must be from {low:.12g} to {high:.12g}")
        return number

    return check


def _positive(value: object) -> float:
    number = _number(value)
    if not 0 < number <= 1e6:
        raise ValueError(f"{shown(value)} must be more than 0")
    return number


def one_or_many(value: object) -> object:
    """A single value as a list of one; anything else as it is."""
    return (value,) if isinstance(value, str | int | float) else value


Seconds = Annotated[float, PlainValidator(seconds)]
Share = Annotated[float, PlainValidator(_within(0, 1, _number))]
Factor = Annotated[float, PlainValidator(_positive)]
Count = Annotated[int, PlainValidator(_within(1, 10**9, _whole))]
Size = Annotated[int, PlainValidator(size)]
CountFromZero = Annotated[int, PlainValidator(_within(0, 10**9, _whole))]
Flag = Annotated[bool, PlainValidator(_flag)]
Text = Annotated[str, PlainValidator(_text)]
Name = Annotated[str, PlainValidator(lambda value: name(_text(value)))]
SecretText = Annotated[Secret, PlainValidator(_secret)]
SecretFile = Annotated[Secret, PlainValidator(_secret_file)]


_SCALARS: dict[Any, Any] = {
    str: Text,
    Template: Text,
    Url: Text,
    FilePath: Annotated[str, PlainValidator(_file_path)],
    FileText: Annotated[str, PlainValidator(_file_text)],
    bool: Flag,
    type(None): None,
}


def settings(cls: type) -> type[Shape]:
    """The pydantic model of a core dataclass: the same fields, spelled as in this module."""
    return create_model(cls.__name__, __base__=Shape, **fields_of(cls))


@functools.cache
def leaf(cls: type) -> Any:
    """A pydantic type that reads a mapping and yields an instance of a core dataclass."""
    return Annotated[settings(cls), AfterValidator(functools.partial(instance, cls))]


def fields_of(cls: type) -> dict[str, Any]:
    """The fields of a core dataclass as `create_model` takes them, twins of secrets included."""
    hints = _hints(cls)
    made: dict[str, Any] = {}
    for each in dataclasses.fields(cls):
        if _is_secret(hints[each.name]):
            made[each.name] = (SecretText | None, None)
            made[f"{each.name}_file"] = (SecretFile | None, None)
        else:
            field = (_type(each.name, hints[each.name]), _default(each))
            made[attribute(each.name)] = field
    return made


def instance(cls: type, shape: Shape) -> Any:
    """The core dataclass of what was read. Raises ValueError with what the class refuses."""
    hints = _hints(cls)
    values: dict[str, Any] = {}
    for each in dataclasses.fields(cls):
        value = getattr(shape, attribute(each.name))
        if _is_secret(hints[each.name]):
            required = each.default is MISSING
            value = one_secret(each.name, value, getattr(shape, f"{each.name}_file"), required)
        values[each.name] = value
    return cls(**values)


def attribute(key: str) -> str:
    """The name of the model's attribute for a key: pydantic's own names are taken."""
    return f"{key}_" if hasattr(BaseModel, key) else key


def one_secret(key: str, direct: Secret | None, file: Secret | None, required: bool) -> Any:
    """The secret that was given. Raises ValueError when it was given twice, or is missing."""
    if direct is not None and file is not None:
        raise ValueError(f"{key}: is given twice: remove {key} or {key}_file")
    if required and direct is None and file is None:
        raise ValueError(f"{key}: is missing: write `{key}: ${{NAME}}` or `{key}_file: path`")
    return direct or file


@functools.cache
def _hints(cls: type) -> dict[str, Any]:
    """What `get_type_hints` finds: it compiles each annotation anew, and costs more than the rest.

    Only to be read.
    """
    return get_type_hints(cls)


def _default(each: Field[Any]) -> Any:
    if each.default is not MISSING:
        return each.default
    return ... if each.default_factory is MISSING else each.default_factory()


def _is_secret(hint: Any) -> bool:
    """Whether a field is one secret; a mapping of them is none, and has no twin."""
    return hint is Secret or (Secret in get_args(hint) and type(None) in get_args(hint))


def _type(key: str, hint: Any) -> Any:
    origin, parts = get_origin(hint), get_args(hint)
    if origin in {Union, types.UnionType}:
        return functools.reduce(operator.or_, [_type(key, part) for part in parts])
    if origin is tuple:
        many = types.GenericAlias(tuple, (_type(key, parts[0]), ...))
        return Annotated[many, BeforeValidator(one_or_many)]
    if origin is not None:
        return types.GenericAlias(dict, (Text, _type(key, parts[1])))
    if dataclasses.is_dataclass(hint):
        return SecretText if hint is Secret else leaf(cast("type", hint))
    if isinstance(hint, type) and issubclass(hint, Enum):
        return hint
    return _scalar(key, hint)


def _scalar(key: str, hint: Any) -> Any:
    if hint is float:
        return Share if key in _SHARES else Factor if key in _FACTORS else Seconds
    if hint is int:
        return Size if key in _SIZES else CountFromZero if key in _FROM_ZERO else Count
    return _SCALARS[hint]
