"""One probe from the command line: which cell is meant, and what it saw."""

from __future__ import annotations

from monitor.clock import real_clock
from monitor.config import Config
from monitor.model import Cell, Estate, Outcome, Result
from monitor.net.network import Net
from monitor.net.redaction import Redactor
from monitor.probes import PROBES, Ask, Means
from monitor.store import StoreError, open_reader


def cell_named(estate: Estate, name: str) -> Cell:
    """The first cell that "service/check[/target[/vantage]]" names.

    Raises LookupError with what there is instead.
    """
    wanted = name.split("/")
    cells = estate.cells()
    for cell in cells:
        if list(cell.key)[: len(wanted)] == wanted:
            return cell
    same_check = [c for c in cells if list(c.key)[:2] == wanted[:2]]
    known = [str(c.key) for c in same_check] or ["/".join(c.key[:2]) for c in cells]
    raise LookupError(f"no cell is named {name}; there are: {', '.join(dict.fromkeys(known))}")


async def probe_once(config: Config, cell: Cell) -> Result:
    """Probe the cell once, names resolved afresh."""
    clock = real_clock()
    redactor = Redactor(config.secrets)
    net = Net(clock, config.limits, config.allow_private, redactor, config.nameservers)
    try:
        ask = Ask("command-line", cell.check.timeout, fresh=True)
        return await PROBES[cell.check.kind].probe(cell, ask, Means(net))
    finally:
        await net.aclose()


async def last_good(config: Config, cell: Cell, result: Result) -> Result | None:
    """The cell's last PASS before a result, from the store; None when none can be read there."""
    try:
        store = await open_reader(config.database_url)
    except StoreError:
        return None
    try:
        return await store.last_pass(cell.key, result.observed_at)
    except StoreError:
        return None
    finally:
        await store.close()


def passed(result: Result) -> bool:
    """Whether all is well."""
    return result.outcome is Outcome.PASS
