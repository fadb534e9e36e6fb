"""What a process knows of its origins, and what it answers from memory."""

import asyncio
from datetime import timedelta

import pytest
from structlog.testing import capture_logs

from streaming_service.application.fleet_watch import OriginView
from streaming_service.domain.fleet.health import HealthState
from streaming_service.domain.fleet.placement import rendezvous
from streaming_service.errors import (
    NotFound,
    StoreUnavailable,
    UpstreamRejected,
    UpstreamUnavailable,
)
from tests.fakes import NOW, until
from tests.unit.application.yard import BOTH, Yard

pytestmark = pytest.mark.anyio
DOWN = UpstreamUnavailable("ome", "cannot be reached")
PAIR = {"reels-in": ("ome-1", "ome-2"), "series-in": ("ome-2",)}


@pytest.fixture
async def yard() -> Yard:
    """Both origins are up."""
    yard = Yard(PAIR)
    await yard.refresh()
    return yard


# -- candidates -------------------------------------------------------------------------------------------------------


async def test_before_the_first_look_nobody_is_a_candidate() -> None:
    assert Yard(PAIR).names() == []


async def test_candidates_come_in_the_order_that_the_key_prefers(yard: Yard) -> None:
    for number in range(20):
        key = f"content-{number}"
        assert tuple(yard.names(key=key)) == rendezvous(key, ["ome-1", "ome-2"])


async def test_a_candidate_says_how_much_it_may_hold(yard: Yard) -> None:
    yard.arrange(PAIR, capacity=3)
    assert {candidate.capacity for candidate in yard.watch.candidates("reels-in", "reels", "content-1")} == {5}

    await yard.refresh()

    assert {candidate.capacity for candidate in yard.watch.candidates("reels-in", "reels", "content-1")} == {3}


async def test_a_pool_that_is_not_there_has_no_candidates(yard: Yard) -> None:
    assert yard.names("elsewhere") == []
    assert yard.watch.capacity("elsewhere") == 0


async def test_an_origin_without_the_application_is_no_candidate_for_it(yard: Yard) -> None:
    yard.servers["ome-2"].has = frozenset({"series"})
    await yard.refresh()

    assert yard.names() == ["ome-1"]
    assert yard.names("series-in", "series") == ["ome-2"]
    assert yard.view("ome-2").reason == "lacks reels in Server.xml"


async def test_an_origin_in_doubt_comes_last(yard: Yard) -> None:
    keys = [f"content-{number}" for number in range(20)]
    yard.servers["ome-1"].has = DOWN
    await yard.refresh()

    assert all(yard.names(key=key) == ["ome-2", "ome-1"] for key in keys)


async def test_a_drained_origin_is_no_candidate(yard: Yard) -> None:
    yard.drains = frozenset({"ome-1", "unheard-of"})
    await yard.refresh()

    assert yard.names() == ["ome-2"]
    assert yard.watch.drained() == {"ome-1"}
    assert yard.watch.given_up() == frozenset()
    assert (yard.view("ome-1").drained, yard.view("ome-1").allowed, yard.view("ome-1").capacity) == (True, 0, 5)
    assert yard.states() == {"ome-1": "up", "ome-2": "up"}


async def test_an_overloaded_origin_is_no_candidate_until_it_keeps_up_again(yard: Yard) -> None:
    for seconds in (0, 10):
        yard.watch.observe_progress("ome-1", 0.5, NOW + timedelta(seconds=seconds))
    yard.clock.moment = NOW + timedelta(seconds=10)
    assert yard.names() == ["ome-2"]
    assert yard.view("ome-1").overloaded

    for seconds in (20, 50):
        yard.watch.observe_progress("ome-1", 1.0, NOW + timedelta(seconds=seconds))
    yard.clock.moment = NOW + timedelta(seconds=50)
    assert len(yard.names()) == 2


async def test_progress_of_an_origin_that_left_is_ignored(yard: Yard) -> None:
    yard.watch.observe_progress("unheard-of", 0.5, NOW)


async def test_the_capacity_of_a_pool_is_what_it_may_hold_now(yard: Yard) -> None:
    assert yard.watch.capacity("reels-in") == 10
    yard.drains = frozenset({"ome-1"})
    await yard.refresh()

    assert yard.watch.capacity("reels-in") == 5
    assert yard.watch.capacity("series-in") == 5


# -- health -----------------------------------------------------------------------------------------------------------


async def test_an_outage_of_one_gives_it_up(yard: Yard) -> None:
    yard.servers["ome-1"].has = DOWN
    await yard.refresh(2)
    assert yard.watch.given_up() == frozenset()
    await yard.refresh()

    assert yard.states() == {"ome-1": "down", "ome-2": "up"}
    assert yard.watch.given_up() == {"ome-1"}
    assert yard.names() == ["ome-2"]
    assert yard.view("ome-1").reason == "ome: cannot be reached"


async def test_an_outage_of_all_moves_nothing_and_neither_does_its_end(yard: Yard) -> None:
    for server in yard.servers.values():
        server.has = DOWN
    await yard.refresh(3)
    assert yard.states() == {"ome-1": "down", "ome-2": "down"}
    assert yard.watch.given_up() == frozenset()

    yard.servers["ome-2"].has = BOTH
    await yard.refresh(3)
    assert yard.states() == {"ome-1": "down", "ome-2": "recovering"}
    assert yard.watch.given_up() == frozenset()


async def test_a_recovered_origin_is_filled_slowly(yard: Yard) -> None:
    yard.servers["ome-1"].has = DOWN
    await yard.refresh(3)
    yard.servers["ome-1"].has = BOTH
    await yard.refresh(2)
    assert yard.names() == ["ome-2"]

    await yard.refresh()
    assert (yard.view("ome-1").state, yard.view("ome-1").allowed) == (HealthState.RECOVERING, 1)
    assert yard.view("ome-1").reason == ""
    await yard.refresh(12)
    assert (yard.view("ome-1").state, yard.view("ome-1").allowed) == (HealthState.UP, 5)


async def test_an_origin_that_refuses_is_there_and_yet_no_candidate(yard: Yard) -> None:
    yard.servers["ome-1"].has = UpstreamRejected("ome", "answers 401", status=401)

    errors = await yard.refresh(5)

    assert errors == ["ome-1 refuses to list its applications: ome: answers 401"]
    assert yard.states() == {"ome-1": "up", "ome-2": "up"}
    assert yard.names() == ["ome-2"]
    assert yard.view("ome-1").reason == "ome: answers 401"


async def test_an_origin_without_the_virtual_host_refuses(yard: Yard) -> None:
    yard.servers["ome-1"].has = NotFound("virtual host default does not exist")

    assert await yard.refresh() == ["ome-1 refuses to list its applications: virtual host default does not exist"]


async def test_what_an_origin_had_is_remembered_while_it_does_not_answer(yard: Yard) -> None:
    yard.servers["ome-1"].has = DOWN
    await yard.refresh()

    assert yard.view("ome-1").applications == BOTH


async def test_an_origin_that_hangs_fails_its_probe() -> None:
    yard = Yard(PAIR, timeout=0.01)
    await yard.refresh()
    yard.servers["ome-1"].gate = asyncio.Event()
    await yard.refresh(3)

    assert yard.states() == {"ome-1": "down", "ome-2": "up"}
    assert yard.view("ome-1").reason == "did not answer a probe within 0.01 s"


async def test_changes_of_state_are_logged_once(yard: Yard) -> None:
    yard.servers["ome-1"].has = DOWN
    with capture_logs() as lines:
        for _ in range(6):
            await yard.watch.refresh()
            yard.clock.advance(5)

    assert [(line["event"], line["origin"]) for line in lines] == [
        ("origin suspect", "ome-1"),
        ("origin down", "ome-1"),
    ]


async def test_only_so_many_origins_are_asked_at_once() -> None:
    yard = Yard({"reels-in": tuple(f"ome-{number}" for number in range(5))}, concurrency=2)
    await yard.refresh()
    gate = asyncio.Event()
    for server in yard.servers.values():
        server.gate = gate

    refresh = asyncio.create_task(yard.watch.refresh())
    await until(lambda: sum(server.probes for server in yard.servers.values()) >= 7)
    for _ in range(20):
        await asyncio.sleep(0)

    assert sum(server.probes for server in yard.servers.values()) == 7
    gate.set()
    await refresh
    assert sum(server.probes for server in yard.servers.values()) == 10


# -- what an operator is told -----------------------------------------------------------------------------------------


async def test_a_missing_application_is_told_once_a_change(yard: Yard) -> None:
    missing = "application 'reels' is missing on ome-2: declare it in Server.xml with a Schedule provider"
    yard.servers["ome-2"].has = frozenset({"series"})
    assert await yard.refresh(3) == [missing]

    yard.servers["ome-2"].has = BOTH
    assert await yard.refresh(2) == []
    yard.servers["ome-2"].has = frozenset({"series"})
    assert await yard.refresh(2) == [missing]


async def test_a_pool_without_origins_is_told_once_a_change(yard: Yard) -> None:
    yard.arrange({"reels-in": ("ome-1",)})

    assert await yard.refresh(3) == ["pool 'series-in' has no origins: list some for it, or correct OME_*_INGEST_POOL"]


async def test_an_ill_store_keeps_the_drain_book_of_before(yard: Yard) -> None:
    yard.drains = frozenset({"ome-1"})
    await yard.refresh()
    yard.drains = StoreUnavailable("the store does not answer")
    with capture_logs() as lines:
        await yard.watch.refresh()
        await yard.watch.refresh()

    assert yard.watch.drained() == {"ome-1"}
    assert [line["event"] for line in lines] == ["drain book not read, the last one stays"]


# -- a topology that changes ------------------------------------------------------------------------------------------


async def test_an_origin_that_joins_is_a_candidate_at_once(yard: Yard) -> None:
    yard.arrange({"reels-in": ("ome-1", "ome-2", "ome-3"), "series-in": ("ome-2",)})
    await yard.refresh()

    assert sorted(yard.names()) == ["ome-1", "ome-2", "ome-3"]
    assert yard.connected == ["http://ome-1:8081", "http://ome-2:8081", "http://ome-3:8081"]


async def test_an_origin_that_leaves_is_forgotten(yard: Yard) -> None:
    yard.arrange({"reels-in": ("ome-1",), "series-in": ("ome-1",)})
    await yard.refresh()

    assert yard.names() == ["ome-1"]
    assert yard.states() == {"ome-1": "up"}
    assert yard.watch.topology == yard.topology


async def test_the_same_server_with_another_capacity_stays_known(yard: Yard) -> None:
    yard.servers["ome-1"].has = DOWN
    await yard.refresh(3)
    yard.arrange(PAIR, capacity=9)
    await yard.refresh()

    assert yard.states() == {"ome-1": "down", "ome-2": "up"}
    assert yard.view("ome-1").applications == BOTH


async def test_another_server_of_the_same_name_is_unknown_at_first(yard: Yard) -> None:
    yard.servers["ome-1"].has = DOWN
    await yard.refresh(3)
    yard.arrange(PAIR, port=9000)
    await yard.refresh()

    assert yard.states() == {"ome-1": "unknown", "ome-2": "up"}
    assert yard.view("ome-1").applications is None
    assert yard.names() == ["ome-2"]


async def test_the_snapshot_tells_everything(yard: Yard) -> None:
    assert yard.watch.snapshot() == (
        OriginView(
            name="ome-1",
            pools=("reels-in",),
            state=HealthState.UP,
            since=NOW,
            capacity=5,
            allowed=5,
            drained=False,
            overloaded=False,
            applications=BOTH,
            reason="",
        ),
        OriginView(
            name="ome-2",
            pools=("reels-in", "series-in"),
            state=HealthState.UP,
            since=NOW,
            capacity=5,
            allowed=5,
            drained=False,
            overloaded=False,
            applications=BOTH,
            reason="",
        ),
    )


async def test_an_origin_needs_the_applications_of_its_pools(yard: Yard) -> None:
    assert yard.watch.applications_of("ome-1") == {"reels"}
    assert yard.watch.applications_of("ome-2") == {"reels", "series"}
