"""What the loader does once the YAML is read: validation, cross-checks, the finished configuration.

Reading YAML is what the whole loader spends its time on, so here the tree comes from lines:
`services.crm.checks[0].url: https://one.example.com/`, a value in single quotes being text, `{}`
and `[]` what is empty. A line that contradicts one before it is left out. The promises are those of
`tests.fuzz.config`.
"""

from __future__ import annotations

import re
from pathlib import Path

from monitor.config import ConfigError, of_tree
from monitor.config.tree import Flaw, Node, plain
from monitor.config.variables import substituted
from tests.fuzz.config import ENVIRON, check_mistakes

_STEP = re.compile(r"([^.\[\]]+)|\[([0-9])\]")
_FILE = Path("/nowhere/checks.yaml")


def target(raw: bytes) -> None:
    first = _outcome(raw)
    if isinstance(first, ConfigError):
        check_mistakes(first, raw)
    elif _outcome(raw) != first:
        raise AssertionError("read twice, it differs")


def _outcome(raw: bytes):
    root, flaws = _tree(raw.decode("utf-8", "replace"))
    try:
        return of_tree(_FILE, root, flaws)
    except ConfigError as error:
        return error


def _tree(text: str) -> tuple[Node, list[Flaw]]:
    root, flaws = Node((1, 1), {}), []
    for number, line in enumerate(text.split("\n"), start=1):
        key, colon, spelled = line.partition(": ")
        steps = [m[1] or int(m[2]) for m in _STEP.finditer(key)]
        if not colon or not steps or len(steps) > 12 or isinstance(steps[0], int):
            continue
        try:
            value = _value(spelled)
        except ValueError as error:
            value = None
            flaws.append(Flaw((number, 1), tuple(steps), str(error), lost=True))
        _put(root, steps, Node((number, 1), value))
    return root, flaws


def _value(spelled: str):
    if spelled in ("{}", "[]"):
        return {} if spelled == "{}" else []
    if "${" in spelled:
        return substituted(spelled, ENVIRON)
    return spelled[1:-1] if spelled[:1] == "'" else plain(spelled)


def _put(root: Node, steps: list[str | int], leaf: Node) -> None:
    node = root
    for step, after in zip(steps, [*steps[1:], None], strict=True):
        inner = leaf if after is None else Node(leaf.place, [] if isinstance(after, int) else {})
        if isinstance(node.value, dict) and isinstance(step, str):
            node = node.value.setdefault(step, inner)
        elif isinstance(node.value, list) and isinstance(step, int):
            if step >= len(node.value):
                node.value.append(inner)
            node = node.value[min(step, len(node.value) - 1)]
        else:
            return
