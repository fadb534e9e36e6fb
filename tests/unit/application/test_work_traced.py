"""Work as spans: part of the trace that asked for it, or a trace of its own that names it."""

import pytest
from msgspec.structs import replace

from streaming_service.domain.history import change
from streaming_service.domain.notification import Cause, Notification
from streaming_service.errors import StoreUnavailable
from tests.fakes import KeptSpan, until
from tests.placements import placed as put
from tests.unit.application.test_delivery import FAILED, Office, debt
from tests.unit.application.test_dispatch import Shop
from tests.unit.application.world import CAUSE, content_id, request

pytestmark = pytest.mark.anyio

EVENT = "00-11111111111111111111111111111111-2222222222222222-01"


async def converged_after(shop: Shop, seconds: float) -> KeptSpan:
    """The span of a channel's convergence, so long after the event that asked for it."""
    await shop.world.provisioning.accept(request(1), Cause("pubsub", "c-1", EVENT))
    channel = await shop.world.channel(1)
    placed = put(channel, shop.clock.now(), stream="ss-1", seat=1)
    await shop.store.commit(change(placed, "placed", CAUSE), shop.clock.now())
    shop.clock.advance(seconds)
    shop.bench.gate.set()
    async with shop.open():
        await until(lambda: bool(shop.tracer.spans) and shop.tracer.spans[0].ended)
    return shop.tracer.named("converge")


async def test_converging_is_part_of_the_trace_of_the_event_that_asked_for_it() -> None:
    shop = Shop()
    span = await converged_after(shop, 60)
    assert span.lineage.parent is not None
    assert span.lineage.parent.traceparent == EVENT
    assert span.attributes["streaming.content_id"] == content_id(1)
    # What it changes and owes names the convergence itself.
    assert shop.bench.causes[0].trace == span.context.traceparent


async def test_converging_hours_later_is_a_trace_of_its_own_that_names_the_event() -> None:
    span = await converged_after(Shop(), 7200)
    assert span.lineage.parent is None
    assert [link.traceparent for link in span.lineage.links] == [EVENT]


async def test_an_interrupted_convergence_is_a_failed_span() -> None:
    shop = Shop()
    shop.bench.error = StoreUnavailable("away")
    assert (await converged_after(shop, 1)).failure == ("StoreUnavailable", "away")


def traced_debt(name: str) -> Notification:
    return replace(debt(name), trace="00-11111111111111111111111111111111-2222222222222222-01")


async def test_a_delivery_is_part_of_the_trace_that_made_it_and_hours_later_names_it() -> None:
    office = Office()
    office.store.add_debts([traced_debt("d-1")])
    office.courier.receipts.append(FAILED)
    (delivery,) = await office.claim()
    await office.loop.attempt(delivery)
    soon = office.tracer.named("deliver content-callback")
    assert soon.lineage.parent is not None
    assert soon.lineage.parent.trace_id == "1" * 32
    assert soon.failure == ("503", "")
    assert soon.attributes["streaming.delivery.state"] == "pending"

    office.tracer.spans.clear()
    office.clock.advance(7200)
    await office.loop.attempt(delivery)
    later = office.tracer.named("deliver content-callback")
    assert later.lineage.parent is None
    assert [link.trace_id for link in later.lineage.links] == ["1" * 32]
    assert later.failure is None
    assert later.ended
