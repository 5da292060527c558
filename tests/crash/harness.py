"""Lives that are killed, and taken up again on the same disk, until they come to their end.

This process has imported everything, has no thread and answers as the receiver; each monitor is a
fork of it, or a fresh interpreter.
"""

from __future__ import annotations

import gc
import json
import os
import signal
import sys
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from subprocess import Popen
from typing import Any

from tests.crash import child
from tests.crash.child import Settings, live
from tests.crash.databases import Databases
from tests.crash.judging import Verdict, judged, standing
from tests.crash.receiver import Receiver
from tests.crash.shim import Kill, Page
from tests.crash.world import World

STUCK_AFTER = 60.0
"""Seconds after which a monitor that neither ends nor is killed is ended, and counts as broken."""

REFUSALS = 10
"""How often a monitor is started again that was refused the store."""


@dataclass
class Ground:
    """Where lives are lived: a receiver, a world, a page, and databases that begin empty."""

    databases: Databases
    receiver: Receiver = field(default_factory=Receiver)
    world: World = field(default_factory=World)
    page: Page = field(default_factory=Page)
    planted: str | None = None
    reached: set[str] = field(default_factory=set)
    killed_at: Counter[str] = field(default_factory=Counter)

    def __post_init__(self) -> None:
        self._said = os.memfd_create("said", 0)
        # What is here now is never looked at again by the collectors of the forks.
        gc.freeze()

    def life(
        self,
        kills: Sequence[Kill],
        *,
        hasty: bool = False,
        fresh: bool = False,
        trouble: str | None = None,
    ) -> Verdict:
        """One life from an empty store: killed at each of these, then left alone to its end.

        With `fresh` those that are killed are fresh interpreters. A life that comes to its end
        before all kills have come has had fewer. `trouble` is what the disk of the first one has.
        """
        url = self.databases.empty()
        self.begin()
        done, snapshots, code = 0, [], None
        settings = self.settings(url, hasty=hasty, small_wal=hasty)
        for kill in (*kills, None):
            mortal = replace(
                settings,
                kill=kill and (kill.at, kill.after),
                trouble=None if done else trouble,
            )
            code = self._run_until_held(mortal, fresh=fresh and kill is not None)
            self.reached.update(self.page.steps())
            if code != -signal.SIGKILL or kill is None:
                break
            done += 1
            self.killed_at.update([str(self.page.killed_at)])
            snapshots.append(standing(url))
        return judged(url, self.receiver, self.world, kills=done, code=code, then=snapshots)

    def _run_until_held(self, settings: Settings, *, fresh: bool) -> int:
        """Run it again while the store is refused: a server learns late that a client died."""
        for _ in range(REFUSALS):
            code = self.run(settings, fresh=fresh)
            if code != child.REFUSED:
                break
        return code

    def begin(self) -> None:
        """Nothing was accepted, no time has passed."""
        self.receiver.forget()
        self.world.begin()

    def settings(self, url: str, **more: Any) -> Settings:
        """What a monitor on this ground is told."""
        ours = (self.receiver.port, self.world.descriptor, self.page.descriptor, self._said)
        return Settings(url, *ours, planted=self.planted, **more)

    def run(self, settings: Settings, *, fresh: bool = False) -> int:
        """Run one monitor to its end; its exit code, or minus the signal that ended it."""
        self.page.clear()
        os.ftruncate(self._said, 0)
        pid = _spawned(settings) if fresh else _forked(settings)
        process = os.pidfd_open(pid)
        try:
            if not self.receiver.serve_until_gone(process, STUCK_AFTER):
                os.kill(pid, signal.SIGKILL)
        finally:
            os.close(process)
            status = os.waitpid(pid, 0)[1]
        return os.waitstatus_to_exitcode(status)

    def said(self) -> dict[str, Any]:
        """What the last monitor had to say when it ended."""
        return json.loads(os.pread(self._said, 1 << 20, 0) or b"{}")


def _forked(settings: Settings) -> int:
    sys.stdout.flush()
    sys.stderr.flush()
    pid = os.fork()
    if pid:
        return pid
    code = child.BROKEN
    try:
        code = live(settings)
    finally:
        sys.stderr.flush()
        os._exit(code)


def _spawned(settings: Settings) -> int:
    # Waited for by its number, as a fork is.
    return Popen(child.command(settings), pass_fds=settings.descriptors).pid
