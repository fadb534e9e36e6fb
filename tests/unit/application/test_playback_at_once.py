"""What is answered without asking anybody: the same as otherwise, and only while it counts."""

import asyncio
from typing import Any

import msgspec
import pytest

from streaming_service.application.playback import Refused
from streaming_service.domain.access import Refusal
from streaming_service.domain.content import AvailabilityWindow, Drm, GeoRestrictions
from tests.fakes import NOW, until
from tests.unit.application.theatre import HOUR, TOKEN, Theatre, showing
from tests.unit.application.world import CAUSE, content_id

pytestmark = pytest.mark.anyio


def at_once(theatre: Theatre, token: str | None = TOKEN, quality: str = "auto", country: str | None = None) -> Any:
    said = theatre.playback.known(content_id(), token, quality, country)
    return msgspec.json.decode(said) if isinstance(said, bytes) else said


@pytest.mark.parametrize("quality", ["auto", "480p"])
@pytest.mark.parametrize("entitlements", [(), (content_id(), 'q"\u00e9', '"entitlements":[]')])
async def test_it_is_the_same_answer(quality: str, entitlements: tuple[str, ...]) -> None:
    window = AvailabilityWindow(NOW - HOUR, NOW + 3 * HOUR)
    theatre = await showing(drm=Drm('"entitlements":[]', "https://drm.test/"), availability=window)
    theatre.tokens.knows(TOKEN, entitlements=entitlements)
    expected = msgspec.json.encode(await theatre.answer(quality=quality))

    for _ in range(2):
        assert theatre.playback.known(content_id(), TOKEN, quality, None) == expected


@pytest.mark.parametrize(
    ("viewer", "content", "country", "refusal"),
    [
        ({"scopes": frozenset()}, {}, None, Refusal.MISSING_SCOPE),
        ({"entitlements": ("other",)}, {}, None, Refusal.NOT_ENTITLED),
        ({}, {"geo": GeoRestrictions(allow=("AT",))}, "DE", Refusal.COUNTRY_BLOCKED),
        ({"country": "DE"}, {"geo": GeoRestrictions(allow=("AT",))}, "AT", Refusal.COUNTRY_BLOCKED),
        ({}, {"availability": AvailabilityWindow(None, NOW + HOUR)}, None, Refusal.NO_LONGER_AVAILABLE),
        ({}, {"availability": AvailabilityWindow(NOW + 2 * HOUR, None)}, None, Refusal.NOT_YET_AVAILABLE),
    ],
)
async def test_it_is_the_same_refusal(
    viewer: dict[str, Any], content: dict[str, Any], country: str | None, refusal: Refusal
) -> None:
    theatre = await showing(**content)
    theatre.tokens.knows(TOKEN, **viewer)
    expected = await theatre.refusal(country=country)
    # The token was looked up; now the content is read, too, even where the token alone was refused.
    theatre.tokens.knows("other")
    await theatre.ask(token="other")

    assert expected.refusal is refusal
    assert at_once(theatre, country=country) == expected


async def test_without_a_token_nobody_needs_to_be_asked(theatre: Theatre) -> None:
    assert at_once(theatre, token=None) == Refused(Refusal.NO_TOKEN)


async def test_who_is_not_known_is_not_answered(theatre: Theatre) -> None:
    assert at_once(theatre) is None
    await theatre.answer()
    assert at_once(theatre)
    assert at_once(theatre, token="somebody") is None


async def test_a_token_that_ends_ends_here_too() -> None:
    theatre = await showing()
    theatre.tokens.knows(TOKEN, expires_at=NOW + HOUR + HOUR / 3600 / 2)
    await theatre.answer()
    theatre.clock.advance(0.499)
    assert at_once(theatre)
    theatre.clock.advance(0.001)
    assert at_once(theatre) is None


async def test_a_content_counts_for_a_second(theatre: Theatre) -> None:
    await theatre.answer()
    theatre.clock.advance(1)
    assert at_once(theatre) is None


async def test_each_second_has_its_own_signature(theatre: Theatre) -> None:
    await theatre.answer()
    first = at_once(theatre)
    theatre.clock.advance(1)
    await theatre.answer()
    second = at_once(theatre)

    assert first["expiresAt"] < second["expiresAt"]
    assert first["manifestUrl"] != second["manifestUrl"]
    assert len(theatre.playback._pages) == 1


async def test_what_is_watched_all_the_time_is_read_before_anybody_would_wait(theatre: Theatre) -> None:
    await theatre.answer()
    theatre.store.reads = 0
    for _ in range(100):
        theatre.clock.advance(0.1)
        assert at_once(theatre)
        await until(lambda: not theatre.playback.titles._loading)
    assert 10 <= theatre.store.reads <= 13


async def test_a_change_made_elsewhere_is_seen_within_a_second(theatre: Theatre) -> None:
    await theatre.answer()
    theatre.clock.advance(0.85)
    assert at_once(theatre)
    await until(lambda: not theatre.playback.titles._loading)
    await theatre.world.operations.retire(content_id(), CAUSE)
    theatre.clock.advance(0.85)
    assert at_once(theatre)
    await until(lambda: not theatre.playback.titles._loading)
    assert at_once(theatre) == Refused(Refusal.RETIRED)


async def test_a_silent_store_is_not_asked_ahead(theatre: Theatre) -> None:
    await theatre.answer()
    asked = list[str]()

    async def silent(content_id: str) -> Any:
        asked.append(content_id)
        await asyncio.Event().wait()

    theatre.store.get = silent
    theatre.playback.titles._heard_of_store("is silent")
    theatre.playback.titles._loading["another"] = asyncio.ensure_future(asyncio.sleep(0))  # type: ignore[assignment]
    theatre.clock.advance(0.9)
    assert at_once(theatre)
    await asyncio.sleep(0)
    assert asked == []
