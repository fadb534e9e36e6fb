"""Signed URLs follow the failover at once, viewer by viewer."""

from collections.abc import Callable

import pytest

from streaming_service.application.playback import Refused, SignedPlayback
from streaming_service.domain.access import Refusal
from tests.unit.application.theatre import TOKEN, Theatre
from tests.unit.application.world import CAUSE, content_id

pytestmark = pytest.mark.anyio
FAILOVER = "https://standby.example/mirror"


class Away:
    """Who is sent to the failover: everybody, somebody, nobody."""

    def __init__(self) -> None:
        self.everybody = False
        self.viewers: set[str] = set()
        self.asked: list[tuple[str, str]] = []

    def __call__(self, content: str, viewer: str) -> bool:
        self.asked.append((content, viewer))
        return self.everybody or viewer in self.viewers


async def playing(away: Callable[[str, str], bool], failover: str | None = FAILOVER) -> Theatre:
    theatre = Theatre(leads_away=away, failover_base_url=failover)
    await theatre.world.playing()
    return theatre


async def test_urls_and_policy_change_with_the_next_question() -> None:
    away = Away()
    theatre = await playing(away)
    before = await theatre.answer(quality="480p")
    away.everybody = True
    during = await theatre.answer(quality="480p")
    away.everybody = False
    after = await theatre.answer(quality="480p")

    assert (before.cdn, before.policy.failover) == ("cdn.example", False)
    assert (during.cdn, during.policy.failover) == ("standby.example", True)
    assert during.manifest_url == before.manifest_url.replace("https://cdn.example", FAILOVER)
    assert after == before


async def test_each_origin_has_its_own_signature() -> None:
    away = Away()
    theatre = await playing(away)
    for _ in range(3):
        for away.everybody in (False, True):
            await theatre.answer()

    assert [prefix.partition("/reels")[0] for prefix, _ in theatre.signer.signed] == ["https://cdn.example", FAILOVER]


async def test_a_viewer_is_known_by_its_session_then_by_its_tokens_then_by_what_it_watches() -> None:
    away = Away()
    theatre = await playing(away)
    theatre.tokens.knows("of a session", session_id="token-session")
    await theatre.ask(session="said")
    await theatre.ask(token="of a session", session="said")
    await theatre.ask(token="of a session")
    await theatre.ask(token=TOKEN)

    assert away.asked == [
        (content_id(), "said"),
        (content_id(), "said"),
        (content_id(), "token-session"),
        (content_id(), content_id()),
    ]


async def test_two_viewers_may_be_sent_to_different_origins() -> None:
    away = Away()
    away.viewers = {"one"}
    theatre = await playing(away)

    assert (await theatre.answer(session="one")).policy.failover
    assert not (await theatre.answer(session="another")).policy.failover


async def test_without_a_failover_nobody_is_asked() -> None:
    away = Away()
    away.everybody = True
    theatre = await playing(away, failover=None)

    assert (await theatre.answer()).cdn == "cdn.example"
    assert away.asked == []


async def test_internal_callers_follow_too() -> None:
    away = Away()
    theatre = await playing(away)
    away.everybody = True
    answer = await theatre.playback.internal(content_id())

    assert isinstance(answer, SignedPlayback)
    assert answer.playback_url.startswith(FAILOVER)


async def test_what_may_not_be_watched_may_not_be_watched_there() -> None:
    away = Away()
    away.everybody = True
    theatre = await playing(away)
    await theatre.world.operations.retire(content_id(), CAUSE)
    theatre.clock.advance(2)

    assert await theatre.refusal() == Refused(Refusal.RETIRED)
