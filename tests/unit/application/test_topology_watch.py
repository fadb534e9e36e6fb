"""The last good topology, whatever becomes of its source."""

import pytest
from structlog.testing import capture_logs

from streaming_service.application.topology_watch import TopologyWatch
from streaming_service.domain.fleet.topology import OriginSpec, Pool, Topology, topology_of
from streaming_service.errors import InvalidInput, StreamingServiceError, UpstreamUnavailable

pytestmark = pytest.mark.anyio


def fleet(*names: str, port: int = 8081) -> Topology:
    origins = tuple(OriginSpec(name=name, api_url=f"http://{name}:{port}") for name in names)
    return topology_of([Pool("reels", origins)], "POOLS")


BROKEN = InvalidInput("OME_POOLS_FILE", "is not JSON")


class Book:
    """A source that says what it is told to."""

    def __init__(self, *answers: Topology | StreamingServiceError) -> None:
        self._answers = list(answers)

    async def read(self) -> Topology:
        answer = self._answers.pop(0)
        if isinstance(answer, StreamingServiceError):
            raise answer
        return answer


async def watched(*answers: Topology | StreamingServiceError) -> tuple[Topology, list[str]]:
    """What is known after all answers, and what was logged meanwhile."""
    watch = TopologyWatch(Book(*answers))
    with capture_logs() as lines:
        for _ in answers:
            assert await watch.refresh() is watch.current
    return watch.current, [line["event"] for line in lines]


CHANGED, KEPT, MENDED = "topology changed", "topology not read, the last one stays", "topology can be read again"


async def test_what_is_read_is_known() -> None:
    assert await watched(fleet("ome-1"), fleet("ome-2")) == (fleet("ome-2"), [CHANGED, CHANGED])


async def test_the_same_again_is_no_change() -> None:
    assert await watched(fleet("ome-1"), fleet("ome-1")) == (fleet("ome-1"), [CHANGED])


async def test_what_cannot_be_read_changes_nothing_and_is_logged_once() -> None:
    assert await watched(fleet("ome-1"), BROKEN, BROKEN, BROKEN) == (fleet("ome-1"), [CHANGED, KEPT])


async def test_each_new_reason_is_logged() -> None:
    _, lines = await watched(fleet("ome-1"), BROKEN, UpstreamUnavailable("dns", "timed out"), BROKEN)

    assert lines == [CHANGED, KEPT, KEPT, KEPT]


async def test_it_is_told_when_it_can_be_read_again() -> None:
    known, lines = await watched(fleet("ome-1"), BROKEN, fleet("ome-1"), BROKEN)

    assert known == fleet("ome-1")
    assert lines == [CHANGED, KEPT, MENDED, KEPT]


async def test_before_the_first_good_answer_there_is_nothing() -> None:
    assert await watched(BROKEN) == (Topology(), [KEPT])


async def test_a_change_says_who_came_and_went() -> None:
    watch = TopologyWatch(Book(fleet("ome-1", "ome-2"), topology_of([Pool("reels", MIXED)], "POOLS")))
    with capture_logs() as lines:
        await watch.refresh()
        await watch.refresh()

    assert {key: lines[1][key] for key in ("added", "removed", "changed")} == {
        "added": ["ome-3"],
        "removed": ["ome-1"],
        "changed": ["ome-2"],
    }


MIXED = (*fleet("ome-2", port=9000).origins_of("reels"), *fleet("ome-3").origins_of("reels"))
