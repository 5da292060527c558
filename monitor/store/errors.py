"""Why the store refused: each error says what stands in the way and what to do about it."""

# ruff: noqa: N818 - the names say what is so, as "the store is held"

from __future__ import annotations


class StoreError(Exception):
    """Whatever the store refuses. Nothing of the refused change was written."""


class StoreHeld(StoreError):
    """Another process has the store; `holder` is what it calls itself."""

    def __init__(self, holder: str) -> None:
        super().__init__(
            f"the store is held by {holder}: stop that one first, or use the commands that ask it"
        )
        self.holder = holder


class StoreTooNew(StoreError):
    """The database was written by a later release than this one."""

    def __init__(self, place: str, revision: str) -> None:
        super().__init__(
            f"{place} is at revision {revision}, which this release does not know: "
            "run the release that wrote it, or restore a backup made before it"
        )
        self.revision = revision


class StoreUnavailable(StoreError):
    """The database cannot be reached, read or written now. Whether a commit took is not known."""

    def __init__(self, place: str, cause: str, remedy: str) -> None:
        super().__init__(f"{place}: {cause}: {remedy}")
        self.place, self.cause, self.remedy = place, cause, remedy


class StaleChange(StoreError):
    """The change was made of something that has changed since: read it again and think again."""


class DuplicateIncident(StoreError):
    """The subject has an open incident already, of this `number`."""

    def __init__(self, subject: str, number: int) -> None:
        super().__init__(f"{subject} has an open incident already, number {number}")
        self.subject, self.number = subject, number
