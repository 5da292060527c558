"""The programs of the proof: started on free ports, and ended by their own ids."""

import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar

import httpx

PROGRAMS = ("prometheus", "prometheus-alertmanager")
PATIENCE = 40.0
_TICK = 0.1
_T = TypeVar("_T")


class GaveUpError(Exception):
    """What should have happened did not."""


def said(text: str) -> None:
    """Print a line at once."""
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


def missing() -> list[str]:
    """The programs that are not installed."""
    return [program for program in PROGRAMS if shutil.which(program) is None]


def free_port() -> int:
    """A port that was free a moment ago."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        return int(server.getsockname()[1])


def until(what: str, so: Callable[[], _T], patience: float = PATIENCE) -> _T:
    """Wait until `so()` is true, and return it. Raises GaveUpError saying `what`."""
    gives_up = time.monotonic() + patience
    while True:
        found = None
        try:
            found = so()
        except (httpx.TransportError, httpx.HTTPStatusError):
            found = None
        if found:
            return found
        if time.monotonic() > gives_up:
            raise GaveUpError(f"in vain for {patience:g} s: {what}")
        time.sleep(_TICK)


@contextmanager
def running(
    command: list[str], log: Path, environment: Mapping[str, str] | None = None
) -> Iterator[subprocess.Popen[bytes]]:
    """Run a program until the block ends; what it says goes into `log`."""
    with log.open("ab") as out:
        process = subprocess.Popen(  # noqa: S603 - the programs that are named in this module
            command, env=environment, stdout=out, stderr=out
        )
    try:
        yield process
    finally:
        ended(process)


def ended(process: subprocess.Popen[bytes]) -> None:
    """End a program, by force when asking does not help."""
    if process.poll() is None:
        process.send_signal(signal.SIGCONT)
        process.terminate()
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def monitor(config: Path, variables: Mapping[str, str]) -> tuple[list[str], dict[str, str]]:
    """The command that runs the monitor, and its environment."""
    command = [sys.executable, "-m", "monitor", "run", "--config", str(config)]
    return command, {**os.environ, **variables}


def prometheus(folder: Path, port: int) -> list[str]:
    """The command that runs Prometheus on the configuration in a folder."""
    return [
        "prometheus",
        f"--config.file={folder}/prometheus.yml",
        f"--storage.tsdb.path={folder}/prometheus",
        f"--web.listen-address=127.0.0.1:{port}",
        "--enable-feature=exemplar-storage",
    ]


def alertmanager(folder: Path, port: int) -> list[str]:
    """The command that runs Alertmanager on the configuration in a folder, alone."""
    return [
        "prometheus-alertmanager",
        f"--config.file={folder}/alertmanager.yml",
        f"--storage.path={folder}/alertmanager",
        f"--web.listen-address=127.0.0.1:{port}",
        "--cluster.listen-address=",
    ]
