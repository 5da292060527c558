"""The monitor's configuration for one world: its estate over real sockets.

Cells have the same names as in the world, so that the timetable has the same phases. Two things
differ. A timeout must be shorter than the interval, so that of 10 s at an interval of 10 s is
9.9 s. And a target that is shared has a name of its own, so worlds of fewer than five targets
cannot be said in a configuration.
"""

import json
from collections.abc import Mapping
from dataclasses import asdict
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from bench.detection.sockets.estate import Estate, source_of
from bench.detection.sockets.wire import MAINTENANCE, OUTAGE, WELCOME
from bench.detection.world import World
from monitor.model import CONTROL, SHARED, Check, Rules, Service

LESS_THAN_THE_INTERVAL = 0.1
NAME_AGE = 600
"""Seconds: cached addresses are to expire by their TTL alone."""


def config_of(world: World, served: Estate, folder: Path, zero: datetime | None = None) -> str:
    """checks.yaml for a world served at these places; JSON, which is YAML too.

    Where maintenance is declared in it, `zero` must be given: when the world will begin.
    """
    network: dict[str, Any] = {"allow_private": ["127.0.0.0/8"]}
    if served.nameserver is not None:
        network["nameservers"] = [served.nameserver]
    seen_from, watched = world.estate.vantages, world.estate.services
    return json.dumps(
        {
            "version": 1,
            "listen": "127.0.0.1:0",
            "database_url": f"sqlite:///{folder}/monitor.db",
            "network": network,
            "limits": {"name_age": NAME_AGE},
            "vantages": {
                each.name: {"network": each.network, "source_address": source_of(each.name)}
                for each in seen_from
            },
            "controls": [_probe(each, served) for each in world.estate.controls],
            "tenants": _tenants(world),
            "services": {each.name: _service(each, served) for each in watched},
            **_maintenance(world, zero),
        },
        indent=2,
    )


def _maintenance(world: World, zero: datetime | None) -> dict[str, Any]:
    if not world.maintenance:
        return {}
    if zero is None:
        raise ValueError("windows are declared in hours of the day: say when the world begins")
    declared = {
        f"window-{number}": {
            "begins": (zero + timedelta(seconds=round(began))).isoformat(timespec="seconds"),
            "ends": (zero + timedelta(seconds=round(ended))).isoformat(timespec="seconds"),
            "services": [each.name for each in world.estate.services],
        }
        for number, (began, ended) in enumerate(world.maintenance)
    }
    return {"maintenance": declared}


def _tenants(world: World) -> dict[str, Any]:
    targets = world.estate.services[0].checks[0].targets
    if any(target.tenant == SHARED for target in targets):
        raise ValueError("a world of shared targets cannot be configured under their names")
    return {target.tenant: {"group": target.group} for target in targets}


def _service(service: Service, served: Estate) -> dict[str, Any]:
    return {
        "audience": service.audience.value,
        "rules": _rules(service.rules),
        **({"edge": service.edge} if service.edge else {}),
        "checks": [
            {
                **_probe(check, served),
                **({"evidence": "passive", "real_users": True} if check.real_users else {}),
                "expect": {"status": 200, "body_contains": WELCOME},
                "maintenance_pages": [MAINTENANCE],
                "outage_bodies": [OUTAGE],
            }
            for check in service.checks
        ],
    }


def _probe(check: Check, served: Estate) -> dict[str, Any]:
    shared = check.service == CONTROL or check.real_users
    target = check.targets[0].name if shared else "{tenant}"
    return {
        **({"edge": check.edge} if check.edge else {}),
        "name": check.name,
        "url": f"{served.origins[check.service]}/{check.name}/{target}",
        "interval": check.interval,
        "timeout": min(check.timeout, check.interval - LESS_THAN_THE_INTERVAL),
    }


def _rules(rules: Rules) -> Mapping[str, Any]:
    """Those that differ from the defaults."""
    usual = asdict(Rules())
    return {name: value for name, value in asdict(rules).items() if value != usual[name]}
