"""The text of a first configuration: commented, and spelled by the YAML library.

What is remote in it (titles, what a probe saw) is one printable line before it comes here. Only
`${NAME}` of the URLs as they were given stays a variable.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from io import StringIO
from textwrap import indent
from typing import Any, NamedTuple

from ruamel.yaml import YAML
from ruamel.yaml.scalarstring import DoubleQuotedScalarString

PAGER_SECRET = "PAGER_SECRET"  # noqa: S105 - the name of a variable, not its value

_VARIABLE = "${" + PAGER_SECRET + "}"


class Known(NamedTuple):
    """One of the services everybody has: how it is asked for, and how it is written down."""

    question: str
    title: str
    audience: str
    check: str


SERVICES: Mapping[str, Known] = {
    "crm": Known("URL of the CRM's sign-in page", "CRM", "users", "sign-in"),
    "sites": Known("URL of a page of Sites", "Sites", "end_users", "home"),
    "website": Known("URL of the website's first page", "Website", "end_users", "home"),
    "orders": Known(
        "URL that tells whether orders reach the ERP",
        "Order taking into ERP",
        "end_users",
        "intake",
    ),
}


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a first configuration is made of.

    urls: by service, "" for one that is left out on purpose; may hold {tenant} and ${NAME}.
    """

    urls: Mapping[str, str]
    tenants: tuple[str, ...] = ()
    allow_private: tuple[str, ...] = ()
    controls: tuple[str, ...] = ()
    pager_url: str = ""


@dataclass(frozen=True, slots=True)
class Seen:
    """What is noted on a check: a title to expect, or that its first probe failed, and how."""

    title: str = ""
    failure: str = ""


def text_of(wanted: Wanted, seen: Mapping[str, Seen] | None = None) -> str:
    """The YAML of what is wanted, with what was seen of each service."""
    return "\n".join(_sections(wanted, seen or {}))


def _commented(comments: list[str], content: Mapping[str, Any] | None = None) -> str:
    """Comment lines, then a mapping as the YAML library spells it."""
    stream = StringIO()
    if content:
        yaml = YAML()
        yaml.width = 4096
        yaml.indent(mapping=2, sequence=4, offset=2)
        yaml.dump(content, stream)
    lines = [f"# {each}".rstrip() for each in comments] + stream.getvalue().splitlines()
    return "".join(f"{line}\n" for line in lines)


def _sections(wanted: Wanted, seen: Mapping[str, Seen]) -> Iterator[str]:
    yield _commented(
        [
            "What is watched, from where, and who is told; made by `monitor init`.",
            "`monitor check-config` says every mistake. Every key: docs/configuration.md.",
        ],
        {"version": 1},
    )
    if wanted.allow_private:
        yield _commented(
            ["Private networks that may be contacted; all others are refused."],
            {"network": {"allow_private": list(wanted.allow_private)}},
        )
    yield _commented(
        [
            "Where probes leave from: this host. An outage of everyone is declared sooner when it",
            "is seen from two networks (a second uplink, or a proxy elsewhere). Then write:",
            "",
            "vantages:",
            "  office: {network: office-line}",
            '  cloud: {network: cloud, proxy: "http://egress.example.com:3128"}',
        ]
    )
    yield _controls(wanted.controls)
    if wanted.tenants:
        yield _commented(
            [
                "Whom {tenant} stands for. Name the backend group of each where it is known, as in",
                "`acme: {group: blue}`: an outage of one group is then told as such.",
            ],
            {"tenants": {each: {} for each in wanted.tenants}},
        )
    yield _commented(
        [
            "A check is one ability. One that is blocking (the default) stops users when it fails;",
            "`need: degrading` never counts toward an outage of everyone. Assert content and not",
            "only a status: a maintenance page often answers 200.",
        ]
    ) + _services(wanted, seen)
    yield _channels(wanted.pager_url)


def _controls(urls: tuple[str, ...]) -> str:
    why = [
        "Places that have nothing to do with the services, nor with each other: when they cannot",
        "be reached either, it is us who are cut off. Three are needed, because one may be down",
        "by itself.",
    ]
    if urls:
        named = [{"name": f"control-{i}", "url": url} for i, url in enumerate(urls, start=1)]
        return _commented(why, {"controls": named})
    example = [f'  - {{name: control-{i}, url: "https://{i}.example.com/"}}' for i in (1, 2, 3)]
    return _commented(
        [*why[:2], f"{why[2]} Without them it cannot be told. Write:", "", "controls:", *example]
    )


def _services(wanted: Wanted, seen: Mapping[str, Seen]) -> str:
    texts = [
        _service(each, url, seen.get(each, Seen())) for each, url in wanted.urls.items() if url
    ]
    return "services:\n" + indent("\n".join(texts), "  ")


def _service(name: str, url: str, seen: Seen) -> str:
    known = SERVICES[name]
    check: dict[str, Any] = {"name": known.check, "url": url}
    if seen.title:
        # `${` is a variable to the loader, and a title is none.
        title = DoubleQuotedScalarString(seen.title.replace("${", "$${"))
        check["expect"] = {"body_contains": title}
    comments = []
    if seen.title:
        comments = [
            "Expected is the title of the page as it was found: see that it is the right one."
        ]
    elif seen.failure:
        comments = [f"Its first probe did not pass: {seen.failure}"]
    shape = {"title": known.title, "audience": known.audience, "checks": [check]}
    return _commented(comments, {name: shape})


def _channels(pager_url: str) -> str:
    if not pager_url:
        why = [
            "Who is told. So far it is only the log of the monitor, which wakes nobody. A webhook",
            "gets JSON signed with the secret, which stays in the environment:",
            "",
            "  pager:",
            "    kind: webhook",
            "    roles: on_call",
            "    url: https://hooks.example.com/x",
            f"    secret: {_VARIABLE}",
        ]
        log = {"kind": "log", "roles": ["on_call", "service_desk"]}
        return _commented(why, {"channels": {"log": log}})
    why = [
        "Who is told: `on_call` is woken, `service_desk` gets the rest. The webhook gets JSON",
        f"signed with the secret, which is read from the environment variable {PAGER_SECRET}.",
    ]
    pager = {"kind": "webhook", "roles": "on_call", "url": pager_url, "secret": _VARIABLE}
    desk = {"kind": "log", "roles": "service_desk"}
    return _commented(why, {"channels": {"pager": pager, "desk": desk}})
