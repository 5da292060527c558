"""`monitor run` by a clock that stands ahead: `python -m tests.ahead CONFIG SECONDS`."""

import os
import sys
from datetime import timedelta
from pathlib import Path

from monitor.clock import Clock, real_clock
from monitor.config import load
from monitor.daemon import serve

if __name__ == "__main__":
    real, ahead = real_clock(), timedelta(seconds=float(sys.argv[2]))
    shifted = Clock(lambda: real.wall() + ahead, real.monotonic)
    sys.exit(serve(load(Path(sys.argv[1]), os.environ), shifted))
