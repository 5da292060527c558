"""What is wrong with a configuration, each with its place and a remedy."""

from __future__ import annotations

from dataclasses import dataclass

Path = tuple[str | int, ...]
"""The keys and list positions that lead from the top of a file to a value in it."""


@dataclass(frozen=True, slots=True)
class Mistake:
    """One mistake: `line` and `column` count from 1, `path` is "" for the file as a whole."""

    file: str
    line: int
    column: int
    path: str
    message: str

    def __str__(self) -> str:
        where = f"{self.file}:{self.line}:{self.column}"
        return ": ".join(part for part in (where, self.path, self.message) if part)


class ConfigError(Exception):
    """A configuration cannot be used. `mistakes` are all of its mistakes, in the file's order."""

    def __init__(self, mistakes: tuple[Mistake, ...]) -> None:
        super().__init__("\n".join(map(str, mistakes)))
        self.mistakes = mistakes


def spelled(path: Path) -> str:
    """A path as people write it: `services.crm.checks[0].interval`."""
    text = ""
    for step in path:
        text += f"[{step}]" if isinstance(step, int) else f".{step}"
    return text.removeprefix(".")
