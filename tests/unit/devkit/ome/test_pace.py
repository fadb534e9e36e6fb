"""How far behind the clock an overloaded server is."""

import pytest

from streaming_service.devkit.ome.pace import Pace


class Load:
    def __init__(self, channels: int) -> None:
        self.channels = channels

    def __call__(self, _: float) -> int:
        return self.channels


@pytest.mark.parametrize(("channels", "lag"), [(0, 0.0), (1, 0.0), (5, 0.0), (10, 5.0), (20, 7.5)])
def test_it_lags_in_proportion(channels: int, lag: float) -> None:
    pace = Pace(5, Load(channels))
    pace.lag(1000.0, 1000.0)

    assert pace.lag(1000.0, 1010.0) == pytest.approx(lag)


def test_who_comes_later_lags_less() -> None:
    pace = Pace(5, Load(10))
    pace.lag(1000.0, 1000.0)

    assert pace.lag(1006.0, 1010.0) == pytest.approx(2.0)


def test_with_room_again_it_catches_up_and_never_gets_ahead() -> None:
    load = Load(10)
    pace = Pace(5, load)
    pace.lag(1000.0, 1000.0)
    pace.lag(1000.0, 1010.0)
    load.channels = 4
    pace.lag(1000.0, 1010.1)

    assert pace.lag(1000.0, 1018.1) == pytest.approx(3.05, abs=0.1)
    assert pace.lag(1000.0, 1100.0) == 0.0
    load.channels = 10
    pace.lag(1000.0, 1200.0)
    assert pace.lag(1000.0, 1204.0) == pytest.approx(2.0)


def test_a_server_for_no_channel_at_all() -> None:
    with pytest.raises(ValueError, match="at least 1"):
        Pace(0, Load(1))
