"""A world, and a theatre in it, for each test."""

import pytest

from tests.fakes import NOW
from tests.unit.application.theatre import HOUR, Theatre
from tests.unit.application.world import World


@pytest.fixture
def world() -> World:
    return World()


@pytest.fixture
async def theatre() -> Theatre:
    """Shows content 1, which was uploaded an hour ago."""
    theatre = Theatre()
    await theatre.world.playing()
    theatre.clock.moment = NOW + HOUR
    return theatre
