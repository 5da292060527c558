"""All dashboards, as Grafana reads them."""

import json

from grafana_foundation_sdk.cog.encoder import JSONEncoder

from grafana.frame import UIDS, Board, made
from grafana.incidents import INCIDENTS
from grafana.itself import MONITOR
from grafana.overview import OVERVIEW
from grafana.promql import FOLDER
from grafana.service import SERVICE

BOARDS: tuple[Board, ...] = (OVERVIEW, SERVICE, INCIDENTS, MONITOR)
FILES = {board.name: FOLDER / "dashboards" / f"{board.name}.json" for board in BOARDS}
assert FILES.keys() == UIDS.keys(), "every dashboard has an identity"  # noqa: S101 - at build time


def written(board: Board) -> str:
    """The text of a dashboard's file: the same for the same code. Raises UnknownSeriesError."""
    return json.dumps(made(board), cls=JSONEncoder, indent=1, ensure_ascii=False) + "\n"
