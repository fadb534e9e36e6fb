"""Upload messages: taken in, handed back, ignored, or kept whole as dead letters."""

import json
from datetime import timedelta
from typing import Any

import pytest
from msgspec.structs import replace

from streaming_service.application.ports import Ack, CatalogEntry, DeadLetter, ListedDeadLetter, Message
from streaming_service.domain.clock import to_wire
from streaming_service.domain.content import AvailabilityWindow
from streaming_service.domain.trace import TraceContext
from streaming_service.entrypoints.worker import handle_upload_event
from streaming_service.errors import InvalidInput, StoreUnavailable, UpstreamRejected, UpstreamUnavailable
from streaming_service.tracing import active
from tests.fakes import NOW, KeepingTracer
from tests.unit.application.world import CAUSE, World, content_id

pytestmark = pytest.mark.anyio


def upload(number: int = 1, **changes: Any) -> dict[str, Any]:
    body: dict[str, Any] = {
        "uploadId": f"upload-{number}",
        "objectKey": f"{number}.mp4",
        "storageUrl": f"gs://uploads/{number}.mp4",
        "assetType": "video",
        "adminId": "admin",
        "contentId": content_id(number),
        "contentClassification": "REEL",
        "contentType": "video/mp4",
        "validation": {"checksum": f"sum-{number}"},
        "emittedAt": to_wire(NOW),
    }
    return body | changes


def message(body: object, **changes: Any) -> Message:
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    return replace(Message(data, message_id="m-1", published_at=NOW), **changes)


def registration(**changes: Any) -> dict[str, Any]:
    body: dict[str, Any] = {
        "contentId": content_id(),
        "tenantId": "tenant",
        "contentType": "reel",
        "sourceGcsUri": "gs://uploads/1.mp4",
        "checksum": "sum-1",
        "durationSeconds": 8,
        "ingestRegion": "eu",
    }
    return body | changes


async def handle(world: World, body: object, **changes: Any) -> Ack:
    return await world.intake.handle(message(body, **changes), "pubsub", CAUSE)


async def letters(world: World) -> tuple[ListedDeadLetter, ...]:
    return (await world.store.list_dead_letters(100, None))[0]


async def test_an_upload_is_acked_when_it_is_durable_and_wakes_the_worker(world: World) -> None:
    assert await handle(world, upload()) is Ack.ACK

    assert (await world.channel()).spec.media_path == "uploads/1.mp4"
    assert world.wakes == ["worker"]
    assert world.meter.counts == {"upload created": 1}


async def test_an_upload_that_comes_twice_is_one(world: World) -> None:
    assert [await handle(world, upload()) for _ in range(2)] == [Ack.ACK, Ack.ACK]

    assert (await world.channel()).version == 1
    assert world.meter.counts == {"upload created": 1, "upload unchanged": 1}


async def test_an_upload_is_not_acked_while_the_store_is_down(world: World) -> None:
    world.store.down = StoreUnavailable("down")
    assert await handle(world, upload()) is Ack.NACK
    assert world.meter.counts == {"upload retried": 1}

    world.store.down = None
    assert await handle(world, upload()) is Ack.ACK


@pytest.mark.parametrize("after", [False, True])
async def test_a_write_whose_answer_is_lost_is_handed_back_and_harmless(world: World, after: bool) -> None:
    world.faults.plan(1 if not after else 0, StoreUnavailable("lost"), after=after)

    assert await handle(world, upload()) is Ack.NACK
    assert await handle(world, upload()) is Ack.ACK
    assert (await world.channel()).version == 1


@pytest.mark.parametrize("kind", ["thumbnail", "banner"])
async def test_pictures_are_none_of_our_business(world: World, kind: str) -> None:
    assert await handle(world, upload(assetType=kind)) is Ack.ACK

    assert world.meter.counts == {"upload ignored": 1}
    assert await letters(world) == ()


@pytest.mark.parametrize(
    ("body", "field"),
    [
        (b"\xff\x00not json", "body"),
        (b"[]", "body"),
        (upload(contentId=None), "contentId"),
        (upload(contentType="audio/mpeg"), "contentType"),
        (upload(storageUrl="https://example.com/a.mp4"), "storageUrl"),
        (upload(storageUrl="gs://uploads/../a.mp4"), "storageUrl"),
        (upload(storageUrl="gs://elsewhere/a.mp4"), "storageUrl"),
        ({"eventType": "media.deleted"}, "eventType"),
    ],
)
async def test_what_cannot_be_understood_is_kept_whole_and_acked(world: World, body: object, field: str) -> None:
    sent = message(body, attributes={"a": "b"})
    assert await world.intake.handle(sent, "pubsub", CAUSE) is Ack.ACK

    (letter,) = await letters(world)
    assert (letter.data, letter.attributes, letter.field) == (sent.data, {"a": "b"}, field)
    assert (letter.source, letter.message_id, letter.received_at) == ("pubsub", "m-1", NOW)
    assert letter.reason
    assert world.meter.counts == {"upload dead_letter": 1}


async def test_a_dead_letter_that_comes_twice_is_one(world: World) -> None:
    await handle(world, b"{")
    await handle(world, b"{", message_id="m-2")
    await handle(world, b"}")

    assert len(await letters(world)) == 2


async def test_a_dead_letter_that_cannot_be_kept_is_handed_back(world: World) -> None:
    async def fails(letter: DeadLetter) -> None:
        raise StoreUnavailable("down")

    world.store.add_dead_letter = fails

    assert await handle(world, b"{") is Ack.NACK


# -- the catalog ------------------------------------------------------------------------------------------------------


async def test_an_upload_waits_for_its_content_to_be_in_the_catalog(world: World) -> None:
    world.catalog.unknown.add(content_id())
    assert await handle(world, upload()) is Ack.NACK

    world.catalog.unknown.clear()
    assert await handle(world, upload()) is Ack.ACK


async def test_an_upload_does_not_wait_for_ever(world: World) -> None:
    world.catalog.unknown.add(content_id())
    world.clock.advance(601)

    assert await handle(world, upload()) is Ack.ACK
    assert [letter.reason for letter in await letters(world)] == ["is not in the content catalog"]


@pytest.mark.parametrize(
    "error", [UpstreamUnavailable("content", "down"), UpstreamRejected("content", "403", status=403)]
)
async def test_an_upload_is_handed_back_while_the_catalog_fails(world: World, error: Any) -> None:
    world.catalog.error = error
    world.clock.advance(10_000)

    assert await handle(world, upload()) is Ack.NACK


async def test_the_catalogs_window_counts_unless_the_sender_names_one(world: World) -> None:
    window = AvailabilityWindow(NOW, NOW + timedelta(days=1))
    world.catalog.entries[content_id()] = CatalogEntry(content_id(), availability=window)
    await handle(world, upload())
    assert (await world.channel()).spec.availability == window

    world.clock.advance(1)
    own = {"startsAt": to_wire(NOW), "endsAt": to_wire(NOW + timedelta(days=2))}
    channel = await world.intake.register(registration(availabilityWindow=own), None, CAUSE)
    assert channel.spec.availability == AvailabilityWindow(NOW, NOW + timedelta(days=2))


# -- registration -----------------------------------------------------------------------------------------------------


async def test_a_registration_makes_a_channel(world: World) -> None:
    channel = await world.intake.register(registration(), None, CAUSE)

    assert (channel.spec.tenant_id, channel.spec.checksum) == ("tenant", "sum-1")
    assert world.wakes == ["worker"]


async def test_the_same_registration_again_is_the_same_channel(world: World) -> None:
    first = await world.intake.register(registration(), "key-1", CAUSE)
    world.clock.advance(5)
    second = await world.intake.register(registration(), "key-1", CAUSE)

    assert (second.generation, second.spec, second.channel_id) == (1, first.spec, first.channel_id)


async def test_a_key_is_good_for_one_registration(world: World) -> None:
    await world.intake.register(registration(), "key-1", CAUSE)

    with pytest.raises(InvalidInput) as caught:
        await world.intake.register(registration(checksum="sum-2"), "key-1", CAUSE)
    assert (caught.value.field, caught.value.code) == ("Idempotency-Key", "idempotency_key_reused")
    assert (await world.channel()).spec.checksum == "sum-1"


async def test_a_key_is_forgotten_after_a_day(world: World) -> None:
    await world.intake.register(registration(), "key-1", CAUSE)
    world.clock.advance(24 * 3600 + 1)

    channel = await world.intake.register(registration(checksum="sum-2"), "key-1", CAUSE)
    assert channel.spec.checksum == "sum-2"


async def test_the_order_of_fields_is_no_other_registration(world: World) -> None:
    await world.intake.register(registration(), "key-1", CAUSE)

    await world.intake.register(dict(reversed(registration().items())), "key-1", CAUSE)


async def test_a_registration_of_unknown_content_is_refused(world: World) -> None:
    world.catalog.unknown.add(content_id())

    with pytest.raises(InvalidInput) as caught:
        await world.intake.register(registration(), None, CAUSE)
    assert caught.value.code == "not_in_catalog"


async def test_a_registration_brings_a_retired_content_back(world: World) -> None:
    await world.intake.register(registration(), None, CAUSE)
    await world.operations.retire(content_id(), CAUSE)
    world.clock.advance(1)

    channel = await world.intake.register(registration(), None, CAUSE)
    assert (channel.status, channel.generation) == ("provisioning", 2)


# -- dead letters again -----------------------------------------------------------------------------------------------


async def kept(world: World, body: object) -> DeadLetter:
    """The dead letter of something that was not understood then."""
    world.catalog.unknown.add(content_id())
    world.clock.advance(601)
    await handle(world, body)
    world.catalog.unknown.clear()
    (listed,) = await letters(world)
    letter = await world.store.get_dead_letter(listed.id)
    assert letter
    return letter


async def test_a_dead_letter_that_is_understood_now_is_gone(world: World) -> None:
    letter = await kept(world, upload())

    assert await world.intake.replay_dead_letter(letter, CAUSE)
    assert await letters(world) == ()
    assert (await world.channel()).spec.checksum == "sum-1"


@pytest.mark.parametrize("body", [b"{", upload(contentId=None)])
async def test_a_dead_letter_that_still_cannot_be_understood_stays(world: World, body: object) -> None:
    letter = await kept(world, body)

    with pytest.raises(InvalidInput):
        await world.intake.replay_dead_letter(letter, CAUSE)
    assert await letters(world) == (letter.listed(),)


async def test_a_dead_letter_of_content_that_is_still_unknown_stays(world: World) -> None:
    letter = await kept(world, upload())
    world.catalog.unknown.add(content_id())

    with pytest.raises(InvalidInput, match="not in the content catalog"):
        await world.intake.replay_dead_letter(letter, CAUSE)
    assert await letters(world) == (letter.listed(),)


async def test_a_dead_letter_that_is_ignored_now_is_gone_without_a_channel(world: World) -> None:
    letter = DeadLetter("l-1", NOW, "pubsub", "m", "r", "f", json.dumps(upload(assetType="banner")).encode(), {})
    await world.store.add_dead_letter(letter)

    assert await world.intake.replay_dead_letter(letter, CAUSE)
    assert await world.store.get(content_id()) is None


async def test_a_sender_whose_clock_runs_ahead_does_not_block_later_wishes_for_long(world: World) -> None:
    await handle(world, upload(validation={"checksum": "from-tomorrow"}, emittedAt=to_wire(NOW + timedelta(days=1))))
    world.clock.advance(600)

    await handle(world, upload(validation={"checksum": "now"}, emittedAt=to_wire(world.clock.now())))

    channel = await world.store.get(content_id())
    assert channel
    assert channel.spec.checksum == "now"


async def test_a_refused_bucket_is_named_as_the_sender_spells_it(world: World) -> None:
    with pytest.raises(InvalidInput) as refused:
        await world.intake.register(registration(sourceGcsUri="gs://elsewhere/1.mp4"), None, CAUSE)
    assert refused.value.field == "sourceGcsUri"


class Context:
    """What handling an upload event needs."""

    def __init__(self) -> None:
        self.world = World()
        self.intake = self.world.intake
        self.tracer = KeepingTracer()


EVENT = TraceContext("1" * 32, "2" * 16, True)


async def test_an_event_is_part_of_its_senders_trace_and_its_wish_remembers_that() -> None:
    context = Context()
    attributes = {"traceparent": EVENT.traceparent}
    assert await handle_upload_event(message(upload(), attributes=attributes), context, source="pubsub") is Ack.ACK
    span = context.tracer.named("process upload event")
    assert span.lineage.parent == EVENT
    assert span.lineage.links == ()
    assert span.attributes["messaging.system"] == "gcp_pubsub"
    assert span.attributes["streaming.event.result"] == "created"
    channel = await context.world.channel(1)
    assert channel.trace is not None
    assert channel.trace.traceparent == span.context.traceparent
    assert channel.trace.at == channel.updated_at

    # Saying the same again asks for nothing: the wish is still the first one's.
    assert await handle_upload_event(message(upload()), context, source="pubsub") is Ack.ACK
    assert (await context.world.channel(1)).trace == channel.trace
    # What is wanted anew belongs to whoever wants it.
    other = upload(validation={"checksum": "sum-2"}, emittedAt=to_wire(NOW + timedelta(seconds=1)))
    assert await handle_upload_event(message(other), context, source="pubsub") is Ack.ACK
    assert (await context.world.channel(1)).trace not in {None, channel.trace}


async def test_an_event_without_a_trace_belongs_to_the_request_that_brings_it() -> None:
    context = Context()
    with active(context.tracer.begin("POST")) as request:
        await handle_upload_event(message(upload()), context, source="push")
        await handle_upload_event(
            message(upload(2), attributes={"traceparent": EVENT.traceparent}), context, source="push"
        )
    first, second = (item for item in context.tracer.spans if item.name == "process upload event")
    assert (first.lineage.parent, first.lineage.links) == (request.context, ())
    assert (second.lineage.parent, second.lineage.links) == (EVENT, (request.context,))


async def test_an_event_that_is_handed_back_is_a_failed_span() -> None:
    context = Context()
    context.world.store.down = StoreUnavailable("away")
    assert await handle_upload_event(message(upload()), context) is Ack.NACK
    assert context.tracer.named("process upload event").failure == ("StoreUnavailable", "")
