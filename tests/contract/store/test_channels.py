import asyncio
from collections.abc import Coroutine
from typing import Any

import pytest
from msgspec.structs import replace

from streaming_service.application.ports import ChannelQuery, DeliveryQuery, Store
from streaming_service.domain.content import Classification
from streaming_service.domain.placement import Draining
from streaming_service.domain.state import Status
from streaming_service.errors import Conflict, InvalidInput
from tests.contract.store.builders import (
    NOW,
    SECOND,
    accept,
    channel,
    content_id,
    full_channel,
    letter,
    notification,
    placement,
    published,
)

pytestmark = pytest.mark.anyio


async def test_an_unknown_channel_is_none(store: Store):
    assert await store.get(content_id(1)) is None
    assert await store.history(content_id(1), 10) == ()


async def test_every_field_comes_back(store: Store):
    written = await store.commit(accept(full_channel()), None)

    assert written == replace(full_channel(), version=1)
    assert await store.get(content_id(1)) == written


async def test_each_commit_counts_the_version_up(store: Store):
    first = await store.commit(accept(channel()), NOW)
    second = await store.commit(accept(replace(first, status=Status.READY)), NOW)

    assert (first.version, second.version) == (1, 2)
    assert await store.get(content_id(1)) == second
    assert second.status is Status.READY


@pytest.mark.parametrize("version", [0, 1, 3])
async def test_a_commit_on_another_version_than_the_written_one_changes_nothing(store: Store, version: int):
    written = await store.commit(accept(await store.commit(accept(channel()), None)), None)
    stale = replace(written, version=version, status=Status.FAILED)

    with pytest.raises(Conflict):
        await store.commit(accept(stale, notification(1)), NOW)

    assert await store.get(content_id(1)) == written
    assert len(await store.history(content_id(1), 10)) == 2
    assert (await store.list_deliveries(DeliveryQuery())).items == ()
    assert await store.claim_due(NOW, "worker", SECOND, 10) == ()


async def test_a_channel_that_is_not_there_cannot_be_at_a_version(store: Store):
    with pytest.raises(Conflict):
        await store.commit(accept(channel(version=2)), None)

    assert await store.get(content_id(1)) is None


@pytest.mark.parametrize("version", [0, 1])
async def test_of_many_writers_at_once_one_wins(store: Store, version: int):
    if version:
        await store.commit(accept(channel()), None)
    changes = [accept(channel(version=version, retries=number), notification(number)) for number in range(10)]

    results = await asyncio.gather(*(store.commit(item, None) for item in changes), return_exceptions=True)

    (winner,) = [item for item in results if not isinstance(item, Conflict)]
    assert await store.get(content_id(1)) == winner
    assert len(await store.history(content_id(1), 20)) == version + 1
    assert len((await store.list_deliveries(DeliveryQuery())).items) == 1


async def test_writers_of_different_channels_do_not_disturb_each_other(store: Store):
    lost = store.commit(accept(channel(1, version=7)), None)
    others = [store.commit(accept(channel(number)), None) for number in range(2, 30)]

    results = await asyncio.gather(lost, *others, return_exceptions=True)

    assert isinstance(results[0], Conflict)
    assert len((await store.list(ChannelQuery())).items) == 28


async def test_history_is_newest_first_and_the_channels_own(store: Store):
    written = channel()
    for action in ("accepted", "placed", "started"):
        written = await store.commit(accept(written, action=action), None)
    await store.commit(accept(channel(2), action="other"), None)

    entries = await store.history(content_id(1), 2)

    assert [entry.action for entry in entries] == ["started", "placed"]
    assert entries[0] == accept(channel(), action="started").history


async def test_a_listing_is_paged_in_content_id_order(store: Store):
    for number in (5, 3, 1, 4, 2):
        await store.commit(accept(channel(number)), None)
    seen: list[str] = []
    cursor = None
    for _ in range(3):
        page = await store.list(ChannelQuery(limit=2, cursor=cursor))
        seen += [item.content_id for item in page.items]
        cursor = page.next

    assert seen == [content_id(number) for number in range(1, 6)]
    assert cursor is None


async def test_a_page_that_ends_exactly_with_the_listing_is_the_last(store: Store):
    for number in (1, 2):
        await store.commit(accept(channel(number)), None)

    assert (await store.list(ChannelQuery(limit=2))).next is None


async def test_filters(store: Store):
    await store.commit(accept(channel(1, status=Status.READY, tenant_id="a")), None)
    await store.commit(accept(channel(2, status=Status.READY, classification=Classification.SERIES)), None)
    await store.commit(accept(channel(3, status=Status.FAILED, tenant_id="b")), None)

    async def found(query: ChannelQuery) -> list[str]:
        return [item.content_id for item in (await store.list(query)).items]

    assert await found(ChannelQuery(status="ready")) == [content_id(1), content_id(2)]
    assert await found(ChannelQuery(classification="series")) == [content_id(2)]
    assert await found(ChannelQuery(tenant_id="b")) == [content_id(3)]
    assert await found(ChannelQuery(status="ready", tenant_id="a", classification="reel")) == [content_id(1)]
    assert await found(ChannelQuery(status="retired")) == []


@pytest.mark.parametrize(
    ("q", "numbers"),
    [
        (content_id(1), [1]),
        (content_id(1).upper(), [1]),
        (content_id(1)[:8], [1, 2, 3, 4]),
        (content_id(1)[-4:], []),
        ("holiday", [1, 2]),
        ("HOLIDAY", [1, 2]),
        ("straße", [4]),
        ("%", [2]),
        ("_", [3]),
        ("\\", []),
        ("/", [1, 2, 3, 4]),
        ("", [1, 2, 3, 4]),
        ("' OR 1=1", []),
    ],
)
async def test_q_is_a_piece_of_the_source_or_the_beginning_of_the_id(store: Store, q: str, numbers: list[int]):
    names = ["Holiday.mp4", "holiday 100%.mp4", "a_b.mp4", "STRASSE.mp4"]
    for number, name in enumerate(names, start=1):
        await store.commit(accept(channel(number, source_uri=f"gs://uploads/{name}")), None)

    assert [item.content_id for item in (await store.list(ChannelQuery(q=q))).items] == list(map(content_id, numbers))


@pytest.mark.parametrize("cursor", ["", "x", "é", "eyJhIjoxfQ", "W10", "////", "A" * 1000])
async def test_a_made_up_cursor_is_refused_by_name(store: Store, cursor: str):
    for listing in (
        store.list(ChannelQuery(cursor=cursor)),
        store.list_deliveries(DeliveryQuery(cursor=cursor)),
        store.list_dead_letters(10, cursor),
    ):
        with pytest.raises(InvalidInput) as caught:
            await listing
        assert caught.value.field == "cursor"


async def test_the_cursor_of_another_listing_is_refused(store: Store):
    for number in (1, 2):
        await store.add_dead_letter(letter(number))
    _, cursor = await store.list_dead_letters(1, None)

    with pytest.raises(InvalidInput):
        await store.list(ChannelQuery(cursor=cursor))


async def test_what_is_on_ome(store: Store):
    await store.commit(accept(channel(1)), None)
    await store.commit(accept(channel(2, serving=placement(2))), None)
    await store.commit(accept(channel(3, building=placement(3))), None)
    leaving = await store.commit(accept(channel(4, draining=(Draining(placement(4), NOW),))), None)
    await store.commit(
        accept(channel(5, serving=published(5), draining=(Draining(published(6), NOW, copy=True),))), None
    )

    assert [item.content_id for item in await store.on_ome()] == [content_id(2), content_id(3), content_id(4)]

    await store.commit(accept(replace(leaving, draining=())), None)

    assert [item.content_id for item in await store.on_ome()] == [content_id(2), content_id(3)]


async def test_what_is_on_ome_is_complete_however_much_it_is(store: Store):
    channels = [channel(number, serving=placement(number)) for number in range(1, 1102)]
    await asyncio.gather(*(store.commit(accept(item), None) for item in channels))

    assert [item.content_id for item in await store.on_ome()] == [item.content_id for item in channels]


async def test_counts_by_status(store: Store):
    assert dict(await store.count_by_status()) == {}
    for number, status in enumerate([Status.READY, Status.READY, Status.FAILED]):
        await store.commit(accept(channel(number + 1, status=status)), None)

    assert dict(await store.count_by_status()) == {"ready": 2, "failed": 1}


@pytest.mark.parametrize("text", ["\x00", "\ud800"])
async def test_text_that_no_database_holds_is_not_found_or_refused(store: Store, text: str):
    asked: list[Coroutine[Any, Any, Any]] = [
        store.get(text),
        store.get_delivery(text),
        store.get_dead_letter(text),
        store.resend(text, NOW),
        store.list(ChannelQuery(q=text)),
        store.list_deliveries(DeliveryQuery(endpoint=text)),
    ]
    for question in asked:
        try:
            answer = await question
        except InvalidInput:
            continue
        assert answer is None or answer.items == ()
    await store.check()
