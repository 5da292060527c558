"""The monitor's configuration for these benchmarks: one CRM, five tenants, three vantages."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from monitor.demo.places import GROUPS, Ports

SECRET_VARIABLE = "BENCH_SECRET"

ENDS_SOONER: Mapping[str, Any] = {"recovery_rounds": 1, "recovery_span": 0.001, "merge_window": 1}
"""The only rules that differ from the defaults: an outage that is over is closed at once."""

NETWORKS = {"london": "net-a", "leeds": "net-b", "dublin": "net-c"}
SOURCES = {"london": "127.0.0.1", "leeds": "127.0.0.2", "dublin": "127.0.0.3"}


@dataclass(frozen=True, slots=True)
class Pace:
    """How often things are probed and how long a probe may take, in seconds."""

    interval: float
    timeout: float
    control_interval: float = 10.0
    control_timeout: float = 5.0


USUAL = Pace(interval=30.0, timeout=10.0)


def monitor_config(
    ports: Ports, pace: Pace, rules: Mapping[str, Any], *, hook: str, listen: int, folder: str
) -> str:
    """checks.yaml for the estate at `ports`, paging `hook`; JSON, which is YAML too."""
    return json.dumps(
        {
            "version": 1,
            "listen": f"127.0.0.1:{listen}",
            "database_url": f"sqlite:///{folder}/monitor.db",
            "network": {"allow_private": ["127.0.0.0/8"]},
            "rules": dict(rules),
            "vantages": {
                name: {"network": network, "source_address": SOURCES[name]}
                for name, network in NETWORKS.items()
            },
            "controls": [_control(n, url, pace) for n, url in enumerate(ports.control_urls(), 1)],
            "tenants": {name: {"group": group} for name, group in GROUPS.items()},
            "services": {"crm": _crm(ports, pace)},
            "channels": {
                "pager": {
                    "kind": "webhook",
                    "roles": ["on_call", "service_desk"],
                    "url": hook,
                    "secret": f"${{{SECRET_VARIABLE}}}",
                }
            },
        },
        indent=2,
    )


def _control(number: int, url: str, pace: Pace) -> dict[str, Any]:
    return {
        "name": f"control-{number}",
        "url": url,
        "interval": pace.control_interval,
        "timeout": pace.control_timeout,
    }


def _crm(ports: Ports, pace: Pace) -> dict[str, Any]:
    return {
        "title": "Prospect 365 CRM",
        "audience": "users",
        "interval": pace.interval,
        "timeout": pace.timeout,
        "checks": [
            {
                "name": "sign-in",
                "url": ports.origin("crm") + "/{tenant}/sign-in",
                "expect": {"status": 200, "body_contains": "Sign in to Prospect CRM"},
            }
        ],
    }
