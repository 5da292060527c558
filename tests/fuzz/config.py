"""The whole loader of configurations, from the bytes of a file.

What is promised: nothing but ConfigError is raised; each of its mistakes has a place within the
file and says something; none shows the value of a variable; what is accepted once is accepted
again and comes out equal.
"""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory

from monitor.config import Config, ConfigError, load

SECRET = "kRw8-pV2x"
"""The value of a variable, looked for in every message."""

ENVIRON = {"TOKEN": SECRET, "NUMBER": "45", "EMPTY": "", "URL": "https://one.example.com/"}


def target(raw: bytes) -> None:
    with TemporaryDirectory(prefix="fuzz-") as folder:
        file = Path(folder) / "checks.yaml"
        file.write_bytes(raw)
        first = outcome(file)
        if isinstance(first, ConfigError):
            check_mistakes(first, raw)
        elif outcome(file) != first:
            raise AssertionError("read twice, it differs")


def outcome(path: Path) -> Config | ConfigError:
    try:
        return load(path, ENVIRON)
    except ConfigError as error:
        return error


def check_mistakes(error: ConfigError, raw: bytes) -> None:
    lines = raw.count(b"\n") + raw.count(b"\r") + raw.count(b"\xe2\x80") + raw.count(b"\xc2\x85")
    assert error.mistakes
    for each in error.mistakes:
        assert each.message.strip(), each
        assert 1 <= each.line <= lines + 1, each
        assert 1 <= each.column <= len(raw) + 1, each
    if SECRET.encode() not in raw:
        assert SECRET[:6] not in str(error), error
