"""What the kernel says that a process has used; on Linux, from /proc."""

import os
from pathlib import Path

_TICKS = os.sysconf("SC_CLK_TCK")
_PAGE = os.sysconf("SC_PAGE_SIZE")


def cpu_seconds(*pids: int) -> float:
    """User and system time of these processes so far, all their threads together."""
    return sum(ticks_of(Path(f"/proc/{pid}/stat").read_text()) for pid in pids) / _TICKS


def resident_bytes(*pids: int) -> int:
    """How much memory these processes hold now."""
    return sum(pages_of(Path(f"/proc/{pid}/statm").read_text()) for pid in pids) * _PAGE


def ticks_of(stat: str) -> int:
    """User and system ticks in a line of /proc/PID/stat; the program's name may hold anything."""
    fields = stat.rpartition(")")[2].split()
    return int(fields[11]) + int(fields[12])


def pages_of(statm: str) -> int:
    """Resident pages in a line of /proc/PID/statm."""
    return int(statm.split()[1])


def load() -> str:
    """The load of the machine over the last minute, which other work on it adds to."""
    return f"load {os.getloadavg()[0]:.1f} of {os.cpu_count()} cores"
