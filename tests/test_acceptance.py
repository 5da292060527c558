"""What people are sent of an outage, and nothing more: the real program and real receivers."""

from __future__ import annotations

import pytest

from monitor.demo.client import EstateProcess
from monitor.demo.places import Ports
from tests.acceptance import Between, playing
from tests.http_server import Reply
from tests.receivers.webhook import HANG

PAGED = Between(0.2, 15)
SOON = Between(0, 8)
OVER = Between(1, 20)
BOTH = {"pager": "on_call", "desk": "service_desk"}


@pytest.fixture(scope="module")
def estate():
    with EstateProcess(Ports.free()) as process:
        yield process


@pytest.fixture(autouse=True)
def healed(estate):
    estate.client.heal()
    yield
    estate.client.heal()


async def test_an_outage_is_a_page_a_recovery_and_an_end_for_everybody_who_is_told(
    estate, tmp_path
):
    async with playing(tmp_path, estate, **BOTH) as play:
        play.breaks("refuse")
        await play.expects(PAGED, "pager: trigger", "desk: trigger")
        play.heals()
        await play.expects(OVER, "pager: update", "desk: update")
        await play.expects(OVER, "pager: resolve", "desk: resolve")


async def test_who_acknowledges_quiets_everybody_and_nobody_is_called(estate, tmp_path):
    async with playing(tmp_path, estate, **BOTH, boss="on_call, after: 6s") as play:
        play.breaks("status_503")
        await play.expects(PAGED, "pager: trigger", "desk: trigger")
        await play.acknowledges("Sam")
        await play.expects(SOON, "pager: acknowledge", "desk: acknowledge")
        play.heals()
        await play.expects(OVER, "pager: update", "desk: update")
        await play.expects(OVER, "pager: resolve", "desk: resolve")


async def test_what_nobody_answers_calls_the_next_who_hears_the_rest(estate, tmp_path):
    async with playing(tmp_path, estate, **BOTH, boss="on_call, after: 2s") as play:
        play.breaks("refuse")
        await play.expects(PAGED, "pager: trigger", "desk: trigger")
        await play.expects(Between(2, 20), "boss: trigger")
        play.heals()
        await play.expects(OVER, "pager: update", "desk: update", "boss: update")
        await play.expects(OVER, "pager: resolve", "desk: resolve", "boss: resolve")


async def test_a_pager_that_refuses_for_good_is_stood_in_for(estate, tmp_path):
    refuses = {"pager": [Reply(401)] * 4}
    async with playing(
        tmp_path, estate, refuses, **BOTH, spare="on_call, stands_in_for: pager"
    ) as play:
        play.breaks("refuse")
        await play.expects(PAGED, "pager: trigger", "desk: trigger")
        await play.expects(Between(0, 25), "spare: trigger")
        play.heals()
        await play.expects(OVER, "pager: update", "desk: update", "spare: update")
        await play.expects(OVER, "pager: resolve", "desk: resolve", "spare: resolve")


async def test_a_receiver_that_hangs_holds_up_nobody_else(estate, tmp_path):
    async with playing(tmp_path, estate, {"desk": [HANG]}, **BOTH) as play:
        play.breaks("refuse")
        await play.expects(PAGED, "pager: trigger")
        play.heals()
        await play.expects(OVER, "pager: update", "pager: resolve")
        await play.expects(Between(0, 45), "desk: trigger", "desk: trigger")
        await play.expects(Between(0, 45), "desk: update", "desk: resolve")


async def test_what_is_silenced_is_told_only_when_it_is_over(estate, tmp_path):
    async with playing(tmp_path, estate, **BOTH) as play:
        play.breaks("refuse")
        await play.expects(PAGED, "pager: trigger", "desk: trigger")
        await play.silences("Sam")
        play.heals()
        await play.expects(OVER, "pager: resolve", "desk: resolve")


async def test_a_tenant_s_outage_wakes_nobody_outside_and_tells_the_desk(estate, tmp_path):
    async with playing(tmp_path, estate, **BOTH, status="status_page") as play:
        play.breaks("status_503", tenant="acme")
        await play.expects(Between(0.5, 40), "desk: trigger")
        play.heals()
        await play.expects(Between(1, 40), "desk: update")
        await play.expects(Between(1, 40), "desk: resolve")
