"""What operators order of the failover is done, kept, and on record."""

from collections.abc import Awaitable, Callable

import pytest

from streaming_service.application.failover_operations import FailoverStatus
from streaming_service.application.ports import DeliveryQuery
from streaming_service.domain.failover import WHOLE, Mode
from streaming_service.domain.notification import Cause, Endpoint
from streaming_service.errors import Conflict, InvalidInput, NotFound
from tests.unit.application.watchtower import Process, told, town
from tests.unit.application.world import World, content_id, request

pytestmark = pytest.mark.anyio
ADMIN = Cause("admin-api", "c-1")


async def records(world: World) -> list[tuple[str, str, str, str]]:
    """Action, actor, subject and reason of the audit log, the oldest first."""
    page = await world.store.list_deliveries(DeliveryQuery(endpoint=Endpoint.AUDIT, limit=100))
    found = [item.notification for item in reversed(page.items) if item.notification.topic.startswith("admin.failover")]
    return [(item.topic, item.facts["actor"], item.content_id, item.facts["reason"]) for item in found]


async def test_every_order_is_on_record_done_or_not() -> None:
    process = Process(await town(audit=True))
    operations = process.operations
    await operations.promote(WHOLE, ADMIN, "fibre cut")
    process.clock.advance(1)
    await operations.promote(WHOLE, ADMIN, "")
    await operations.demote(WHOLE, ADMIN, "")
    await operations.freeze(content_id(1), ADMIN, "release night")
    await operations.unfreeze(content_id(1), ADMIN, "")

    assert await records(process.world) == [
        ("admin.failover-promoted", "admin-api", "failover:cdn", "fibre cut"),
        ("admin.failover-promoted", "admin-api", "failover:cdn", "promoted by admin-api"),
        ("admin.failover-demoted", "admin-api", "failover:cdn", "demoted by admin-api"),
        ("admin.failover-frozen", "admin-api", content_id(1), "release night"),
        ("admin.failover-unfrozen", "admin-api", content_id(1), "unfrozen by admin-api"),
    ]


async def test_viewers_go_at_once_and_stay_until_an_operator_takes_them_back() -> None:
    process = Process(await town())
    status = await process.operations.promote(content_id(1), ADMIN, "drill")
    assert (status.standing.mode, status.standing.manual, status.share) == (Mode.PROMOTED, True, 1.0)
    assert process.failover.leads_away(content_id(1), "anybody")
    await process.sees_it_clear(900)
    assert process.mode() == "promoted"

    assert (await process.operations.demote(content_id(1), ADMIN, "")).standing.mode is Mode.RETURNING
    assert (await process.operations.demote(content_id(1), ADMIN, "")).share == 0.0
    assert not process.failover.leads_away(content_id(1), "anybody")


async def test_the_cdn_is_told_of_an_operators_promotion_as_of_any() -> None:
    process = Process(await town())
    await process.operations.promote(WHOLE, ADMIN, "drill")

    owed = await told(process.world)
    assert [item.facts["path"] for item in owed["cdn-control"]] == ["/*"]
    assert [item.facts["trigger"] for item in owed["bigquery"]] == ["operator"]


async def test_frozen_the_probes_decide_nothing() -> None:
    process = Process(await town())
    await process.operations.freeze(content_id(1), ADMIN, "release night")
    await process.sees_it_down()
    assert (process.mode(), process.why()) == ("primary", "frozen by admin-api")

    await process.operations.unfreeze(content_id(1), ADMIN, "")
    await process.sees_it_down()
    assert process.mode() == "promoted"


async def test_the_whole_cdn_is_always_listed_and_contents_when_there_is_something_to_know() -> None:
    process = Process(await town(2))
    assert [item.standing.subject for item in await process.operations.list()] == [WHOLE]
    await process.operations.freeze(content_id(2), ADMIN, "")

    listed = await process.operations.list()
    assert [item.standing.subject for item in listed] == [WHOLE, content_id(2)]
    assert listed[0].standing.mode is Mode.PRIMARY


async def test_what_does_not_exist_or_does_not_play_is_not_found() -> None:
    process = Process(await town())
    await process.world.accept(request(2))
    orders: list[Callable[[str, Cause, str], Awaitable[FailoverStatus]]] = [
        process.operations.promote,
        process.operations.demote,
        process.operations.freeze,
        process.operations.unfreeze,
    ]
    for order in orders:
        with pytest.raises(NotFound):
            await order(content_id(9), ADMIN, "")
        with pytest.raises(InvalidInput, match="subject"):
            await order("nonsense", ADMIN, "")
    with pytest.raises(NotFound, match="nothing that plays"):
        await process.operations.promote(content_id(2), ADMIN, "")


@pytest.mark.parametrize("reason", ["x" * 201, "a\x00b"])
async def test_a_reason_is_a_line_of_text(reason: str) -> None:
    process = Process(await town())
    with pytest.raises(InvalidInput, match="reason"):
        await process.operations.freeze(WHOLE, ADMIN, reason)


async def test_without_a_failover_there_is_nothing_to_promote() -> None:
    process = Process(await town(), enabled=False)

    with pytest.raises(InvalidInput, match="CDN_FAILOVER_BASE_URL"):
        await process.operations.promote(WHOLE, ADMIN, "")


async def test_an_order_that_loses_every_race_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    process = Process(await town())

    async def lose(*_: object) -> None:
        raise Conflict("somebody else")

    monkeypatch.setattr(process.world.store, "commit_failover", lose)
    with pytest.raises(Conflict, match="changed by others"):
        await process.operations.freeze(WHOLE, ADMIN, "")
