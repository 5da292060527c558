"""When the collector is told what stays."""

import asyncio
import gc

import pytest

from monitor.daemon import garbage


@pytest.fixture(autouse=True)
def as_before():
    thresholds = gc.get_threshold()
    yield
    gc.set_threshold(*thresholds)
    gc.unfreeze()


def test_what_is_there_at_the_start_is_frozen_and_collections_are_rarer():
    usual = gc.get_threshold()
    garbage.begin()
    assert gc.get_freeze_count() > 0
    assert gc.get_threshold()[0] > usual[0]
    assert gc.isenabled()


async def test_what_settles_later_is_frozen_then_and_not_before(monkeypatch):
    monkeypatch.setattr(garbage, "_LOOK_EVERY", 0.001)
    looked, settled = asyncio.Event(), False

    def is_settled():
        looked.set()
        return settled

    freezing = asyncio.create_task(garbage.freeze_once(is_settled))
    await asyncio.wait_for(looked.wait(), 1)
    assert gc.get_freeze_count() == 0
    settled = True
    await asyncio.wait_for(freezing, 5)
    assert gc.get_freeze_count() > 0
