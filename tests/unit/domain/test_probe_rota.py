"""Who is probed when."""

from collections import Counter

from streaming_service.domain.probe_rota import Rota


def turns(rota: Rota, count: int, *, began: float = 0.0, step: float = 1.0) -> list[str | None]:
    return [rota.next(began + number * step) for number in range(count)]


def test_nobody_is_there() -> None:
    rota = Rota(again_after=10)
    assert rota.wants_stock
    assert rota.next(0) is None


def test_the_catalogue_in_turn() -> None:
    rota = Rota(again_after=1)
    rota.stock(["a", "b", "c"])
    assert turns(rota, 4) == ["a", "b", "c", None]
    assert rota.wants_stock


def test_favoured_ones_go_first_and_the_catalogue_has_a_quarter() -> None:
    rota = Rota(again_after=0.5)
    rota.favour(["live-1", "live-2"])
    rota.stock(f"vod-{number}" for number in range(100))
    seen = turns(rota, 40)
    assert seen[:3] == ["live-1", "live-2", "live-1"]
    assert Counter(str(item).partition("-")[0] for item in seen) == {"live": 30, "vod": 10}


def test_favoured_ones_have_turns_in_turn_however_often_they_are_named() -> None:
    rota = Rota(again_after=0.5)
    names = [f"live-{number}" for number in range(10)]
    seen: list[str | None] = []
    for number in range(40):
        rota.favour(names)
        seen.append(rota.next(float(number)))
    assert Counter(seen) == dict.fromkeys(names, 4)


def test_a_few_are_not_hammered() -> None:
    rota = Rota(again_after=10)
    rota.favour(["live"])
    rota.stock(["live", "vod"])
    assert turns(rota, 12) == ["live", "vod", *[None] * 8, "live", None]


def test_who_is_called_goes_before_all_others_when_it_is_time() -> None:
    rota = Rota(again_after=10)
    rota.favour(["a", "b", "c"])
    assert rota.next(0) == "a"
    rota.call("a", 2)
    rota.call("a", 5)
    assert turns(rota, 3, began=1) == ["b", "a", "c"]
    assert rota.next(5) is None


def test_who_is_not_favoured_any_more_goes_no_more() -> None:
    rota = Rota(again_after=0.5)
    rota.favour(["a", "b"])
    assert rota.next(0) == "a"
    rota.favour(["b"])
    assert turns(rota, 2, began=1) == ["b", "b"]
