"""The messages of whole stories, word by word, and what every one of them must be."""

from __future__ import annotations

import re

import pytest

from monitor.model import Action
from tests.stories import GOLDEN, STORIES, told


@pytest.mark.parametrize("story", STORIES)
def test_the_messages_of_a_story_are_those_of_its_file(story):
    assert told(story) == (GOLDEN / f"{story}.txt").read_text()


def test_every_file_is_of_a_story():
    assert {path.stem for path in GOLDEN.glob("*.txt")} == set(STORIES)


def notices():
    for story in STORIES.values():
        day = story()
        for change in day.changes:
            for part in change.parts():
                yield from part.notices


def test_a_page_says_first_what_is_down_for_whom_since_when():
    pages = [n for n in notices() if n.action is Action.TRIGGER and n.channel == "pager"]
    assert pages
    for page in pages:
        assert re.match(
            r"#\d+ .*(is (reported )?down for|is failing for).* since \d\d:\d\d",
            page.message.headline,
        )


def test_a_page_then_says_how_that_is_known_the_errors_the_runbook_and_by_when():
    pages = [n for n in notices() if n.action is Action.TRIGGER and n.channel == "pager"]
    order = ("How we know: ", "Error: ", "Runbook: ", "Respond by ", "Incident: ")
    for page in (n for n in pages if n.message.incident.service == "crm"):
        lines = page.message.lines
        places = [
            next((i for i, line in enumerate(lines) if line.startswith(w)), None) for w in order
        ]
        found = [place for place in places if place is not None]
        assert found == sorted(found)
        assert places[0] is not None
        assert places[-1] is not None


def place_of(begins, lines):
    """Where the first line that begins so stands, None where there is none."""
    return next((i for i, line in enumerate(lines) if line.startswith(begins)), None)


def test_no_line_is_empty_and_no_place_unfilled():
    for notice in notices():
        for line in (notice.message.headline, *notice.message.lines):
            assert line.strip()
            assert "None" not in line
            assert not re.search(r"\{\w*\}", line)
