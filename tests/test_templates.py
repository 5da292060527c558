"""Texts with places: what is a place, what fills it, and what stays."""

from __future__ import annotations

from dataclasses import dataclass, field

import pytest

from monitor.net.texts import Template, Url
from monitor.probes.templates import completed, filled, finished, places, templates, written_out


@dataclass(frozen=True)
class Inner:
    path: Url
    note: str = "{tenant}"


@dataclass(frozen=True)
class Outer:
    url: Url
    body: Template | None = None
    headers: dict[str, Template] = field(default_factory=dict)
    steps: tuple[Inner, ...] = ()
    count: int = 3

    def __post_init__(self):
        if self.body == "refused":
            raise ValueError("body: is refused")


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("http://h/{tenant}/{site-id}", ("tenant", "site-id")),
        ('{"a": {"b": {}}, "c": [1]}', ()),
        ('{"a": {"b": {"c": "{order}"}}}', ("order",)),
        ('sum(up{tenant="{tenant}"}[5m])', ("tenant",)),
        ("{{order}} {order}", ("order",)),
        ("{ viewer { login } }", ()),
        ("{1} {} {_x}", ()),
    ],
)
def test_only_a_name_in_single_braces_is_a_place(text, names):
    assert places(text) == names


def test_in_a_url_any_braces_are_a_place():
    assert places("http://h/{}/{1}", is_url=True) == ("", "1")


def test_places_without_a_value_stay_for_later():
    assert filled("{tenant}/{order}/{{tenant}}", {"tenant": "acme"}) == "acme/{order}/{{tenant}}"


def test_a_value_is_not_filled_in_again():
    assert filled("{a}{b}", {"a": "{b}", "b": "x"}) == "{b}x"


def test_what_is_sent_has_its_double_braces_undone():
    assert finished('{"q": "{{name}}", "r": {"s": {}}}') == '{"q": "{name}", "r": {"s": {}}}'


def test_a_value_is_no_text_that_is_read_again():
    values = {"a": "{{b}}", "b": "x", "c": "{{"}
    assert completed("{a} {b} {{b}} {c}b}} {d}", values) == "{{b}} x {b} {{b}} {d}"


def test_templates_are_found_wherever_they_stand_in_options():
    options = Outer(Url("u"), Template("b"), {"X-A": Template("h")}, (Inner(Url("/p")),))
    assert list(templates(options)) == [
        (("url",), "u", True),
        (("body",), "b", False),
        (("headers", "X-A"), "h", False),
        (("steps", 0, "path"), "/p", True),
    ]


def test_options_are_written_out_down_to_their_parts():
    options = Outer(Url("{t}/"), None, {"X": Template("{t}")}, (Inner(Url("/{t}/{later}")),))
    assert written_out(options, {"t": "acme"}) == Outer(
        "acme/", None, {"X": "acme"}, (Inner("/acme/{later}"),)
    )


def test_options_without_places_are_the_same_object():
    options = Outer(Url("http://h/"), Template("{{t}}"))
    assert written_out(options, {"t": "acme"}) is options


def test_what_a_value_makes_nonsense_of_is_refused_as_ever():
    with pytest.raises(ValueError, match="body: is refused"):
        written_out(Outer(Url("u"), Template("{x}")), {"x": "refused"})
