"""Dead letters, deliveries and figures, for the people who run it."""

import pytest

from streaming_service.application.administration import Administration
from streaming_service.application.issuing import ManifestIssuer
from streaming_service.application.ports import Attempt, DeadLetter, DeliveryQuery, DeliveryState, Tried
from streaming_service.domain.notification import Endpoint
from streaming_service.domain.signing.cloud_cdn import CloudCdnSigner
from streaming_service.domain.signing.keyring import Keyring, SigningKey
from streaming_service.domain.signing.scheme import Verdict
from streaming_service.errors import InvalidInput, NotFound
from tests.fakes import NOW
from tests.signing import FORMS, signer
from tests.unit.application.world import CAUSE, SPECS, World, content_id, request

pytestmark = pytest.mark.anyio
LETTER = DeadLetter("l-1", NOW, "pubsub", "m-1", "is not JSON", "body", b"{", {})


def office(world: World) -> Administration:
    return Administration(
        store=world.store,
        intake=world.intake,
        notifier=world.notifier,
        specs=SPECS,
        clock=world.clock,
        changed=world.wakes.append,
        wake_delivery=lambda: world.wakes.append("delivery"),
    )


async def test_dead_letters_are_listed_shown_and_given_up(world: World) -> None:
    admin = office(world)
    await world.store.add_dead_letter(LETTER)
    assert (await admin.dead_letters(10, None))[0] == (LETTER.listed(),)
    assert await admin.dead_letter("l-1") == LETTER

    await admin.delete_dead_letter("l-1", CAUSE)
    assert (await admin.dead_letters(10, None))[0] == ()


async def test_a_dead_letter_that_still_cannot_be_understood_stays(world: World) -> None:
    await world.store.add_dead_letter(LETTER)

    with pytest.raises(InvalidInput):
        await office(world).replay_dead_letter("l-1", CAUSE)
    assert await world.store.count_dead_letters() == 1


async def test_what_does_not_exist_is_not_found(world: World) -> None:
    admin = office(world)
    for job in (
        admin.dead_letter("none"),
        admin.replay_dead_letter("none", CAUSE),
        admin.delete_dead_letter("none", CAUSE),
        admin.resend("none", CAUSE),
    ):
        with pytest.raises(NotFound, match="none does not exist"):
            await job


@pytest.mark.parametrize("limit", [0, 201])
async def test_a_page_size_that_is_none_is_refused(world: World, limit: int) -> None:
    with pytest.raises(InvalidInput, match="limit"):
        await office(world).dead_letters(limit, None)
    with pytest.raises(InvalidInput, match="limit"):
        await office(world).deliveries(DeliveryQuery(limit=limit))


async def test_a_delivery_is_owed_again_and_delivery_is_woken(world: World) -> None:
    await world.playing()
    debt = world.owed()[0]
    await world.store.record([Tried(debt.id, Attempt(NOW, 410, "gone", 1.0), DeliveryState.DEAD)])
    world.wakes.clear()

    delivery = await office(world).resend(debt.id, CAUSE)
    assert (delivery.state, delivery.next_attempt_at) == (DeliveryState.PENDING, world.clock.now())
    assert world.wakes == ["delivery"]


async def test_deliveries_are_listed_newest_first(world: World) -> None:
    channel = await world.playing()
    await world.operations.retire(channel.content_id, CAUSE)
    page = await office(world).deliveries(DeliveryQuery(endpoint=Endpoint.BIGQUERY, limit=2))

    assert [item.notification.topic for item in page.items] == ["cdn.purge", "stream.retired"]


async def test_an_overview_counts_everything_and_shows_the_newest_failures_first(world: World) -> None:
    world.media.missing.update(f"gs://uploads/{number}/sum-1.mp4" for number in (2, 3))
    await world.playing(1)
    for number in (2, 3):
        await world.accept(request(number))
        await world.settle(within=60)
    await world.store.add_dead_letter(LETTER)
    overview = await office(world).overview()

    assert overview.channels == {"provisioning": 0, "ready": 1, "failed": 2, "retired": 0}
    assert (overview.dead, overview.dead_letters) == (0, 1)
    assert sum(overview.pending.values()) == len(world.owed())
    assert overview.oldest_seconds is not None
    assert [channel.content_id for channel in overview.failures] == [content_id(3), content_id(2)]


def test_an_issued_url_is_good_from_now_on_for_the_whole_stream() -> None:
    cdn = CloudCdnSigner(Keyring(SigningKey("primary", b"0" * 16)))
    issuer = ManifestIssuer(cdn, base_url="https://cdn.example", ttl=300, time=lambda: 1000.5)
    url, expires_at, cookies = issuer.issue("/reels/ss-1/master.m3u8", None)

    assert url.startswith("https://cdn.example/reels/ss-1/master.m3u8?")
    assert (expires_at, cookies) == ("1970-01-01T00:21:40.000Z", ())
    assert cdn.verify(url, 1299) is Verdict.VALID
    assert cdn.verify(url, 1300) is Verdict.EXPIRED
    assert cdn.verify(url.replace("master.m3u8", "seg_1.m4s"), 1299) is Verdict.VALID


@pytest.mark.parametrize("form", FORMS)
def test_whoever_is_told_can_play_under_every_scheme(form: str) -> None:
    issuer = ManifestIssuer(signer(form), base_url="https://cdn.example", ttl=300, time=lambda: 1000.5)
    url, expires_at, cookies = issuer.issue("/reels/ss-1/master.m3u8", None)
    sent = "; ".join(f"{cookie.name}={cookie.value}" for cookie in cookies)

    assert url.partition("?")[0].endswith("/master.m3u8")
    assert signer(form).verify(url, 1299, sent) is Verdict.VALID
    assert signer(form).verify(url, 1300, sent) is Verdict.EXPIRED
    assert {cookie.expires for cookie in cookies} <= {expires_at}


def test_an_issued_url_may_have_a_base_of_its_own() -> None:
    cdn = CloudCdnSigner(Keyring(SigningKey("primary", b"0" * 16)))
    issuer = ManifestIssuer(cdn, base_url="https://cdn.example", ttl=300, time=lambda: 1000.0)

    assert issuer.issue("/reels/ss-1/master.m3u8", "https://other.example/v")[0].startswith(
        "https://other.example/v/reels/ss-1/master.m3u8?"
    )
