"""What compose.yaml gives the monitor to watch: the shipped configuration, among containers.

It is written from `checks.yaml` so that the two cannot drift apart.
"""

import re

from grafana.promql import FOLDER

SHIPPED = FOLDER.parent / "checks.yaml"
CHECKS = FOLDER / "compose" / "checks.yaml"

_HEAD = """# Written from checks.yaml by `make dashboards`: the same, among containers. The
# estate is a host of its own, its network may be contacted, and probes leave from one place.
"""
_VANTAGES = "vantages:\n  compose: {network: compose}\n"
_REPLACED = (
    (r"\A(#.*\n)+", _HEAD),
    (r"^listen: .*$", "listen: 0.0.0.0:8365"),
    (r"allow_private: .*$", "allow_private: [172.30.83.0/24]"),
    (r"^vantages:\n(  .*\n)+", _VANTAGES),
    (r"127\.0\.0\.1:91", "estate:91"),
)


def checks() -> str:
    """The text of the configuration. Raises LookupError when checks.yaml is not as expected."""
    text = SHIPPED.read_text()
    for pattern, by in _REPLACED:
        text, count = re.subn(pattern, by, text, flags=re.MULTILINE)
        if not count:
            raise LookupError(f"{SHIPPED} has nothing like {pattern}")
    return text
