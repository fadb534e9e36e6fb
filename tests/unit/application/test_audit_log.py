"""Every admin action is owed to the audit log, and what the service does by itself is not."""

from collections.abc import Sequence
from datetime import timedelta

import pytest

from streaming_service.application.administration import Administration
from streaming_service.application.origins import OriginOperations
from streaming_service.application.ports import DeadLetter, DeliveryQuery
from streaming_service.domain.notification import Cause, Endpoint, Notification
from streaming_service.errors import InvalidInput, StoreUnavailable
from tests.fakes import NOW, FragileStore
from tests.unit.application.world import SPECS, World, content_id, request
from tests.views import FakeViews

pytestmark = pytest.mark.anyio
ADMIN = Cause("admin-api", "c-1")
LETTER = DeadLetter("l-1", NOW, "pubsub", "m-1", "is not JSON", "body", b"{", {})


def office(world: World) -> Administration:
    return Administration(
        store=world.store,
        intake=world.intake,
        notifier=world.notifier,
        specs=SPECS,
        clock=world.clock,
        changed=world.wakes.append,
        wake_delivery=lambda: None,
    )


async def entries(world: World) -> list[tuple[str, str, str]]:
    """Action, actor and what it is about, the oldest first."""
    page = await world.store.list_deliveries(DeliveryQuery(endpoint=Endpoint.AUDIT, limit=100))
    found = [delivery.notification for delivery in reversed(page.items)]
    return [(item.topic, item.facts["actor"], item.content_id) for item in found]


async def test_channels() -> None:
    world = World(audit=True)
    admin, content = office(world), content_id(1)
    await world.intake.register(gateway(content), None, ADMIN)
    await admin.replay(content, ADMIN)
    await admin.purge(content, ADMIN)
    await admin.retire(content, ADMIN)
    await admin.retire(content, ADMIN)

    assert await entries(world) == [
        ("admin.accepted", "admin-api", content),
        ("admin.replay", "admin-api", content),
        ("admin.purge", "admin-api", content),
        ("admin.retired", "admin-api", content),
    ]


async def test_what_a_worker_does_is_not_an_admin_action() -> None:
    world = World(audit=True)
    await world.playing()

    assert [actor for _, actor, _ in await entries(world) if actor == "worker"] == []


async def test_a_failure_for_good_is_an_alert() -> None:
    world = World(audit=True, max_retries=0)
    channel, _ = await world.provisioning.accept(request(), Cause("pubsub", "c-1"))
    del world.origin.held["reels"]
    failed = await world.provisioning.converge(channel, Cause("worker", "c-2"), may_place=True)
    assert failed.channel.failure

    assert await entries(world) == [("stream.provisioning.failed", "worker", channel.content_id)]


async def test_dead_letters_and_deliveries() -> None:
    world = World(audit=True)
    admin = office(world)
    await world.store.add_dead_letter(LETTER)
    with pytest.raises(InvalidInput):
        await admin.replay_dead_letter("l-1", ADMIN)
    await admin.delete_dead_letter("l-1", ADMIN)
    (owed, *_) = (await world.store.list_deliveries(DeliveryQuery(endpoint=Endpoint.AUDIT))).items
    await admin.resend(owed.notification.id, ADMIN)

    assert await entries(world) == [
        ("admin.dead-letter-replayed", "admin-api", "dead-letter:l-1"),
        ("admin.dead-letter-deleted", "admin-api", "dead-letter:l-1"),
        ("admin.delivery-resent", "admin-api", f"delivery:{owed.notification.id}"),
    ]


async def test_origins() -> None:
    world = World(audit=True)
    views = FakeViews()
    origins = OriginOperations(store=world.store, fleet=views, notifier=world.notifier, clock=world.clock)
    await origins.drain("ome-1", ADMIN)
    world.clock.moment += timedelta(seconds=1)
    await origins.undrain("ome-1", ADMIN)

    assert await entries(world) == [
        ("admin.drain", "admin-api", "origin:ome-1"),
        ("admin.undrain", "admin-api", "origin:ome-1"),
    ]


class OffTheRecord(FragileStore):
    """Takes no debts."""

    async def owe(self, notifications: Sequence[Notification]) -> None:
        raise StoreUnavailable(f"cannot take {len(notifications)}")


async def test_nothing_is_done_off_the_record() -> None:
    world = World(audit=True, store=OffTheRecord())
    admin = office(world)
    await world.store.add_dead_letter(LETTER)

    for act in (admin.delete_dead_letter, admin.replay_dead_letter):
        with pytest.raises(StoreUnavailable):
            await act("l-1", ADMIN)
    assert await world.store.get_dead_letter("l-1") == LETTER


def gateway(content: str) -> dict[str, object]:
    return {
        "contentId": content,
        "tenantId": "t",
        "contentType": "reel",
        "sourceGcsUri": "gs://uploads/a.mp4",
        "checksum": "sha256:1",
        "durationSeconds": 10,
        "ingestRegion": "iad",
    }
