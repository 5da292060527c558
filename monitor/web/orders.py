"""The shapes of what people ask for: who does what with an incident."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from monitor.judge import LONGEST

NOTE_MOST = 4000
REASON_MOST = 200
SILENCE_MOST = int(LONGEST.total_seconds()) // 60
"""Characters of a note and of a reason, minutes of a silence."""


Person = Annotated[
    str,
    StringConstraints(
        strip_whitespace=True, min_length=1, max_length=100, pattern=r"^[^\x00-\x1f\x7f]+$"
    ),
    Field(description="The name of the person"),
]


class Acknowledgement(BaseModel):
    """Who takes an incident on."""

    model_config = ConfigDict(extra="forbid")

    by: Person


class Act(BaseModel):
    """Who does it."""

    model_config = ConfigDict(extra="forbid")

    by: Person


class Note(BaseModel):
    """What a person adds to a timeline."""

    model_config = ConfigDict(extra="forbid")

    by: Person
    text: Annotated[
        str,
        StringConstraints(
            strip_whitespace=True,
            min_length=1,
            max_length=NOTE_MOST,
            pattern=r"^[^\x00-\x08\x0b\x0c\x0e-\x1f\x7f]+$",
        ),
        Field(description="Verbatim; nobody is sent it"),
    ]


class SilenceOrder(BaseModel):
    """That a person wants nothing sent of an incident for a while."""

    model_config = ConfigDict(extra="forbid")

    by: Person
    reason: Annotated[
        str,
        StringConstraints(
            strip_whitespace=True,
            min_length=1,
            max_length=REASON_MOST,
            pattern=r"^[^\x00-\x1f\x7f]+$",
        ),
        Field(description="Why, for whoever wonders"),
    ]
    minutes: int = Field(ge=1, le=SILENCE_MOST, description="From now on")


class Resolution(BaseModel):
    """Who says that an incident is over."""

    model_config = ConfigDict(extra="forbid")

    by: Person
    false_alarm: bool = Field(default=False, description="It never was: no fault was found")
