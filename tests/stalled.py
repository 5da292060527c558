"""`monitor run` whose event loop can be stopped for good: `python -m tests.stalled CONFIG`.

It stands still once there is a file `stall` beside the configuration. The watchdog has little
patience.
"""

import os
import sys
import threading
from pathlib import Path

from monitor.clock import Clock, real_clock
from monitor.config import load
from monitor.daemon import serve
from monitor.selfwatch.watchdog import Patience


def stands_still():
    threading.Event().wait()


if __name__ == "__main__":
    path, real = Path(sys.argv[1]), real_clock()
    stall = path.with_name("stall")

    def wall():
        on_the_loop = threading.current_thread() is threading.main_thread()
        if on_the_loop and stall.exists():
            stands_still()
        return real.wall()

    patience = Patience(told_after=0.5, ended_after=1.5, turn=0.05)
    sys.exit(serve(load(path, os.environ), Clock(wall, real.monotonic), patience))
