"""A viewer gets a signed manifest, or the reason why not."""

from datetime import timedelta

import msgspec
import pytest

from streaming_service.application.playback import Refused, SignedPlayback
from streaming_service.application.title import ManifestAnswer
from streaming_service.domain.access import Refusal
from streaming_service.domain.clock import to_wire
from streaming_service.domain.content import AvailabilityWindow, Drm, GeoRestrictions
from streaming_service.domain.signing.scheme import Cookie, SignedCookie
from streaming_service.errors import UpstreamRejected, UpstreamUnavailable
from tests.fakes import NOW
from tests.unit.application.theatre import HOUR, TOKEN, CountingSigner, Theatre, showing
from tests.unit.application.world import CAUSE, content_id, request

pytestmark = pytest.mark.anyio


async def test_a_viewer_gets_the_signed_manifest_of_what_is_served(theatre: Theatre) -> None:
    channel = await theatre.world.channel()
    answer = await theatre.answer()
    expires = int(theatre.clock.time()) + 300

    assert channel.serving is not None
    assert answer.manifest_url == f"https://cdn.example{channel.serving.path}master.m3u8?expires={expires}"
    assert answer.expires_at == to_wire(theatre.clock.now() + timedelta(seconds=300))
    assert answer.cdn == "cdn.example"
    assert (answer.drm, answer.availability) == (None, None)
    assert (answer.policy.ttl_seconds, answer.policy.failover) == (300, False)


async def test_a_signature_covers_everything_of_the_stream_and_nothing_else(theatre: Theatre) -> None:
    await theatre.answer()
    channel = await theatre.world.channel()

    assert channel.serving is not None
    assert [prefix for prefix, _ in theatre.signer.signed] == [f"https://cdn.example{channel.serving.path}"]


@pytest.mark.parametrize(
    ("quality", "playlist"),
    [("auto", "master"), ("1080p", "master"), ("720p", "master"), ("480p", "max-480p"), ("360p", "max-480p")],
)
async def test_a_quality_cap_picks_its_playlist(theatre: Theatre, quality: str, playlist: str) -> None:
    assert f"/{playlist}.m3u8?" in (await theatre.answer(quality=quality)).manifest_url


async def test_a_content_with_its_own_cdn_is_signed_for_that_one() -> None:
    theatre = await showing(base_url="http://cdn.example/videos")
    answer = await theatre.answer()

    assert answer.manifest_url.startswith("http://cdn.example/videos/reels/ss-")
    assert answer.cdn == "cdn.example"


async def test_drm_and_window_are_told_when_they_are_set() -> None:
    theatre = await showing(
        drm=Drm("key-1", "https://licence.example"), availability=AvailabilityWindow(NOW, NOW + 24 * HOUR)
    )
    answer = await theatre.answer()

    assert answer.drm is not None
    assert answer.drm.key_id == "key-1"
    assert answer.availability is not None
    assert answer.availability.ends_at == to_wire(NOW + 24 * HOUR)


# -- signing once -----------------------------------------------------------------------------------------------------


async def test_viewers_of_the_same_second_share_a_signature(theatre: Theatre) -> None:
    urls = {(await theatre.answer()).manifest_url for _ in range(10)}
    theatre.clock.advance(0.5)
    urls.add((await theatre.answer(quality="auto")).manifest_url)

    assert len(urls) == len(theatre.signer.signed) == 1


async def test_the_next_second_has_its_own(theatre: Theatre) -> None:
    await theatre.answer()
    theatre.clock.advance(1)
    await theatre.answer()

    assert len(theatre.signer.signed) == 2


async def test_every_quality_of_a_second_is_covered_by_one_signature(theatre: Theatre) -> None:
    urls = {quality: (await theatre.answer(quality=quality)).manifest_url for quality in ("auto", "480p", "360p")}

    assert len(set(urls.values())) == 2
    assert len(theatre.signer.signed) == 1


async def test_a_session_is_signed_only_where_the_scheme_binds_it(theatre: Theatre) -> None:
    session = "0f8fad5b-d9cb-469f-a165-70867728950e"
    binding = await showing(CountingSigner(binds_session=True))

    assert (await theatre.answer(session=session)).manifest_url == (await theatre.answer()).manifest_url
    assert (await binding.answer(session=session)).manifest_url.endswith(f"&session={session}")
    assert "session" not in (await binding.answer()).manifest_url
    assert (theatre.signer.sessions, binding.signer.sessions) == ([""], ["", session])


async def test_cookies_are_told_with_the_expiry_of_the_url() -> None:
    theatre = await showing(CountingSigner(cookies=(Cookie("Grant", "a=b", "cdn.example", "/reels/"),)))
    answer = await theatre.answer()
    internal = await theatre.playback.internal(content_id())

    assert isinstance(internal, SignedPlayback)
    assert answer.cookies == internal.cookies
    assert answer.cookies == (SignedCookie("Grant", "a=b", "cdn.example", "/reels/", answer.expires_at),)


async def test_without_cookies_the_answer_does_not_speak_of_them(theatre: Theatre) -> None:
    internal = await theatre.playback.internal(content_id())

    assert b"cookies" not in msgspec.json.encode(await theatre.answer())
    assert b"cookies" not in msgspec.json.encode(internal)


async def test_a_url_does_not_outlive_the_window() -> None:
    theatre = await showing(availability=AvailabilityWindow(None, NOW + HOUR + timedelta(seconds=20)))
    answer = await theatre.answer()

    assert answer.expires_at == to_wire(NOW + HOUR + timedelta(seconds=20))


# -- refusals ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("token", [None, ""])
async def test_no_token(theatre: Theatre, token: str | None) -> None:
    assert (await theatre.refusal(token=token)) == Refused(Refusal.NO_TOKEN)
    assert theatre.tokens.asked == []


async def test_an_inactive_token(theatre: Theatre) -> None:
    assert await theatre.refusal(token="other") == Refused(Refusal.INACTIVE_TOKEN)


async def test_an_expired_token(theatre: Theatre) -> None:
    theatre.tokens.knows(TOKEN, expires_at=theatre.clock.now())

    assert await theatre.refusal() == Refused(Refusal.INACTIVE_TOKEN)


async def test_a_token_without_the_scope(theatre: Theatre) -> None:
    theatre.tokens.knows(TOKEN, scopes=("streams.write",))

    assert await theatre.refusal() == Refused(Refusal.MISSING_SCOPE)


async def test_unknown_content(theatre: Theatre) -> None:
    assert await theatre.refusal(number=2) == Refused(Refusal.UNKNOWN_CONTENT)


async def test_content_that_is_not_ready_yet(theatre: Theatre) -> None:
    await theatre.world.accept(request(2))

    assert await theatre.refusal(number=2) == Refused(Refusal.NOT_READY, 2)


async def test_retired_content(theatre: Theatre) -> None:
    await theatre.world.operations.retire(content_id(), CAUSE)

    assert await theatre.refusal() == Refused(Refusal.RETIRED)


@pytest.mark.parametrize(("starts_in", "retry_after"), [(0.2, 1), (10.0, 11), (3600.0, 3601)])
async def test_a_window_that_has_not_begun_says_when(starts_in: float, retry_after: int) -> None:
    theatre = await showing(availability=AvailabilityWindow(NOW + HOUR + timedelta(seconds=starts_in), None))

    assert await theatre.refusal() == Refused(Refusal.NOT_YET_AVAILABLE, retry_after)


async def test_a_window_that_is_over() -> None:
    theatre = await showing(availability=AvailabilityWindow(None, NOW + HOUR))

    assert await theatre.refusal() == Refused(Refusal.NO_LONGER_AVAILABLE)


async def test_entitlements_name_what_may_be_watched(theatre: Theatre) -> None:
    theatre.tokens.knows(TOKEN, entitlements=(content_id(2),))
    theatre.tokens.knows("good", entitlements=(content_id(2), content_id(1)))

    assert await theatre.refusal() == Refused(Refusal.NOT_ENTITLED)
    assert (await theatre.answer(token="good")).entitlements == (content_id(2), content_id(1))


async def test_no_entitlements_means_everything_unless_they_are_required() -> None:
    strict = Theatre(entitlement_required=True)
    await strict.world.playing()

    assert await strict.refusal() == Refused(Refusal.NOT_ENTITLED)


@pytest.mark.parametrize(
    ("geo", "in_token", "claimed", "allowed"),
    [
        (GeoRestrictions(allow=("DE",)), "DE", None, True),
        (GeoRestrictions(allow=("DE",)), None, "DE", True),
        (GeoRestrictions(allow=("DE",)), "FR", "DE", False),
        (GeoRestrictions(allow=("DE",)), None, None, False),
        (GeoRestrictions(deny=("FR",)), "FR", None, False),
        (GeoRestrictions(deny=("FR",)), "DE", None, True),
        (GeoRestrictions(deny=("FR",)), None, None, False),
        (GeoRestrictions(allow=("DE", "FR"), deny=("FR",)), "FR", None, False),
        (GeoRestrictions(), None, None, True),
    ],
)
async def test_a_viewer_may_not_choose_where_it_is(
    geo: GeoRestrictions, in_token: str | None, claimed: str | None, allowed: bool
) -> None:
    theatre = await showing(geo=geo)
    theatre.tokens.knows(TOKEN, country=in_token)
    answer = await theatre.ask(country=claimed)

    assert isinstance(answer, ManifestAnswer) is allowed
    assert allowed or answer == Refused(Refusal.COUNTRY_BLOCKED)


async def test_a_token_service_that_is_down(theatre: Theatre) -> None:
    theatre.tokens.error = UpstreamUnavailable("auth", "down", retry_after=7.4)

    assert await theatre.refusal() == Refused(Refusal.TOKEN_SERVICE_UNAVAILABLE, 7)


async def test_a_token_service_that_refuses_us(theatre: Theatre) -> None:
    theatre.tokens.error = UpstreamRejected("auth", "403", status=403)

    assert await theatre.refusal() == Refused(Refusal.TOKEN_SERVICE_FAILED, 2)
