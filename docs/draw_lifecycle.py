"""Draw docs/lifecycle.md from the table of the code: `python docs/draw_lifecycle.py`."""  # noqa: INP001 - a script beside the pages

from __future__ import annotations

from pathlib import Path

from monitor.incident import LIFECYCLE
from monitor.model import IncidentState

PAGE = Path(__file__).parent / "lifecycle.md"

_TEXT = """\
# The life of an incident

Drawn by `docs/draw_lifecycle.py` from `LIFECYCLE` in `monitor/incident/lifecycle.py`. What has no
arrow cannot happen: it is refused, and changes nothing. Recovery is announced while the incident
stays open; it resolves when the merge window has passed without another failure, and what fails
later is another incident.

```mermaid
stateDiagram-v2
{arrows}
```
"""


def drawn() -> str:
    """The whole page, as it should be."""
    moves: dict[tuple[IncidentState, IncidentState], list[str]] = {}
    for (before, happening), after in LIFECYCLE.items():
        moves.setdefault((before, after), []).append(happening)
    leaving = {before for before, _ in LIFECYCLE}
    arrows = [f"[*] --> {IncidentState.OPEN}"]
    arrows += [f"{a} --> {b}: {', '.join(names)}" for (a, b), names in moves.items()]
    arrows += [f"{state} --> [*]" for state in IncidentState if state not in leaving]
    return _TEXT.format(arrows="\n".join(f"    {arrow}" for arrow in arrows))


if __name__ == "__main__":
    PAGE.write_text(drawn())
