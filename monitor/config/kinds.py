"""Mappings that are read by their `kind`: checks, controls and channels.

They are written flat: their own keys and those of their kind's options stand side by side. The
options' dataclass belongs to the kind; a key that both have belongs to the mapping's own shape.
"""

from __future__ import annotations

import functools
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from pydantic import GetCoreSchemaHandler, create_model
from pydantic_core import CoreSchema, core_schema

from monitor.config.spelling import Shape, fields_of, instance


@dataclass(frozen=True, slots=True)
class Kinded:
    """What was read: its own keys, and its kind's options made of the others."""

    own: Any
    kind: str
    options: Any


class ByKind:
    """A pydantic type that picks a mapping's model by its `kind` and yields a `Kinded`.

    Without a `kind` it is of the `default` one; without a default that is a mistake.
    """

    def __init__(
        self, own: type[Shape], kinds: Mapping[str, type], default: str | None = None
    ) -> None:
        self.models = {kind: _flat(own, options) for kind, options in kinds.items()}
        self._kinds = kinds
        self._default = default

    def of(self, kind: str | None) -> tuple[type[Shape], ...]:
        """The models of one kind, "" for the default one; of all where there is no such kind."""
        one = None if kind is None else self.models.get(kind or self._default or "")
        return tuple(self.models.values()) if one is None else (one,)

    def __get_pydantic_core_schema__(
        self, source: Any, handler: GetCoreSchemaHandler
    ) -> CoreSchema:
        choices = {kind: self._choice(kind, handler) for kind in self.models}
        return core_schema.tagged_union_schema(choices, discriminator=self._kind_of)

    def _choice(self, kind: str, handler: GetCoreSchemaHandler) -> CoreSchema:
        made = functools.partial(_kinded, kind, self._kinds[kind])
        return core_schema.no_info_after_validator_function(
            made, handler.generate_schema(self.models[kind])
        )

    def _kind_of(self, value: Any) -> str | None:
        return str(value.get("kind", self._default)) if isinstance(value, Mapping) else None


def _flat(own: type[Shape], options: type) -> type[Shape]:
    fields = {key: made for key, made in fields_of(options).items() if key not in own.model_fields}
    return create_model(options.__name__, __base__=own, **fields)


def _kinded(kind: str, options: type, shape: Shape) -> Kinded:
    return Kinded(own=shape, kind=kind, options=instance(options, shape))
