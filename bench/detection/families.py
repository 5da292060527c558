"""The families by number, and how to make one world of each."""

from collections.abc import Callable

from bench.detection import everyone, nobody, parts
from bench.detection.world import World

FAMILIES: dict[str, Callable[[int], World]] = {
    "1": everyone.refused,
    "2": everyone.timeouts,
    "3": everyone.ramp,
    "4": everyone.wrong_content,
    "5": everyone.names_gone,
    "6": everyone.certificate_expired,
    "7": everyone.almost_all_fail,
    "8": parts.some_requests,
    "8g": parts.grey_requests,
    "9": parts.one_then_two,
    "10": parts.one_group,
    "11": parts.one_node,
    "12a": nobody.lost_vantage,
    "12b": everyone.with_a_dead_vantage,
    "13": nobody.shared_transit,
    "14": nobody.own_network_gone,
    "15": nobody.stalled,
    "16a": nobody.noise,
    "16b": nobody.bursty_noise,
    "16c": nobody.one_flaps,
    "17": nobody.blips,
    "18": everyone.flapping,
    "19a": nobody.maintenance_inside,
    "19b": everyone.maintenance_overruns,
    "19c": everyone.maintenance_after,
    "19d": everyone.page_left_on,
    "20a": nobody.locked_out,
    "20b": everyone.outage_page,
    "20c": nobody.turned_on_us,
    "20d": everyone.edge_down,
    "21": everyone.interrupted,
    "22": everyone.behind_one_source,
    "23": nobody.slow_but_correct,
    "24a": parts.part_then_all,
    "24b": parts.all_then_one,
    "25": nobody.wrong_address,
    "26": everyone.one_check_dead,
}


def named(name: str) -> list[str]:
    """The families of that number, all of its variants; all families for "all"."""
    return [f for f in FAMILIES if name in ("all", f, f.rstrip("abcdg"))]
