"""The configuration: one YAML file read into model objects, or every mistake in it at once.

How a file is read, each step on what the one before it left:
1. The YAML becomes a tree that knows where everything stands (`tree`); variables are replaced in
   its values (`variables`).
2. The tree is validated against the outer shape (`shape`) and the settings that the core and the
   kinds of probes and channels declare (`spelling`, `kinds`). What is mistaken is noted and taken
   out, and the rest validated again (`reading`).
3. What is left is examined for what its parts say of each other (`crosschecks`, `windows`,
   `dates`, `addresses`).
4. If nothing was noted, the finished `Config` is made (`build`); otherwise `ConfigError` has all
   mistakes, each as `file:line:column: path: what is wrong, and the remedy`.

The environment is an argument. Files are read here only: the configuration itself, and those it
names for secrets. No message shows a secret or the value of a variable.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from monitor.config import build, crosschecks, reading, tree, windows
from monitor.config.build import Config
from monitor.config.case import Case
from monitor.config.mistakes import ConfigError, Mistake, spelled
from monitor.config.shape import History

__all__ = ["Config", "ConfigError", "History", "Mistake", "load", "load_rules"]


def load(path: Path, environ: Mapping[str, str]) -> Config:
    """The configuration of a file. Raises ConfigError with every mistake in it.

    `environ` is where `${NAME}` is looked up. Secret files are found relative to the file.
    """
    root, flaws = _parsed(path, environ)
    return of_tree(path, root, flaws)


def of_tree(path: Path, root: tree.Node, flaws: Sequence[tree.Flaw] = ()) -> Config:
    """The configuration of a file that was read into a tree. Raises ConfigError as `load` does."""
    findings = reading.Findings(str(path), root)
    for flaw in flaws:
        findings.add(flaw.path, flaw.message, flaw.place)
    findings.lost |= {flaw.path for flaw in flaws if flaw.lost}
    document = reading.document(root, findings, str(path.parent))
    case = Case(document, root, findings)
    crosschecks.check_document(case)
    windows.check_windows(case)
    if mistakes := findings.mistakes():
        raise ConfigError(mistakes)
    return build.config(path, document, root)


def load_rules(path: Path, environ: Mapping[str, str]) -> dict[str, Any]:
    """The rules that a file sets, by the names of `model.Rules`, spelled as under `rules:`.

    Raises ConfigError with every mistake in it.
    """
    content, flaws = _parsed(path, environ)
    root = tree.Node(content.place, {"rules": content})
    findings = reading.Findings(str(path), root)
    for flaw in flaws:
        findings.add(("rules", *flaw.path), flaw.message, flaw.place)
    findings.lost |= {("rules", *flaw.path) for flaw in flaws if flaw.lost}
    document = reading.document(root, findings, str(path.parent))
    crosschecks.check_rules(Case(document, root, findings))
    if mistakes := findings.mistakes():
        raise ConfigError(mistakes)
    return {key: getattr(document.rules, key) for key in document.rules.model_fields_set}


def _parsed(path: Path, environ: Mapping[str, str]) -> tuple[tree.Node, list[tree.Flaw]]:
    try:
        with path.open("rb") as file:
            content = file.read(tree.MAX_BYTES + 1)
        return tree.parse(content, environ)
    except OSError as error:
        raise _unread(path, (1, 1), f"cannot be read: {error.strerror}") from None
    except tree.Unreadable as error:
        raise _unread(path, error.place, error.message, spelled(error.path)) from None


def _unread(path: Path, place: tree.Place, message: str, within: str = "") -> ConfigError:
    return ConfigError((Mistake(str(path), *place, within, message),))
