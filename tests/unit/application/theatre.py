"""A content that plays, and the box office in front of it."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

from streaming_service.application.introspection import Introspector
from streaming_service.application.playback import ManifestAnswer, Playback, PlaybackPolicy, Refused
from streaming_service.domain.signing.scheme import Cookie, PrefixGrant, Verdict
from tests.fakes import NOW, FakeTokenService
from tests.unit.application.world import World, content_id

TOKEN = "token"
HOUR = timedelta(hours=1)


class CountingSigner:
    """Signs legibly, and counts."""

    def __init__(self, *, binds_session: bool = False, cookies: tuple[Cookie, ...] = ()) -> None:
        self.signed: list[tuple[str, int]] = []
        self.sessions: list[str] = []
        self.binds_session = binds_session
        self._cookies = cookies

    def sign(self, prefix: str, expires: int, session: str = "") -> PrefixGrant:
        self.signed.append((prefix, expires))
        self.sessions.append(session)
        return PrefixGrant(prefix, f"expires={expires}{session and f'&session={session}'}", self._cookies)

    def verify(self, url: str, now: int, cookies: str = "") -> Verdict:
        raise NotImplementedError


class Theatre:
    """A world with one content that plays, and the box office."""

    def __init__(
        self,
        signer: CountingSigner | None = None,
        leads_away: Callable[[str, str], bool] = lambda _content, _viewer: False,
        **policy: Any,
    ) -> None:
        self.world = World()
        self.clock = self.world.clock
        self.store = self.world.store
        self.tokens = FakeTokenService()
        self.tokens.knows(TOKEN)
        self.signer = signer or CountingSigner()
        self.playback = Playback(
            store=self.store,
            viewers=Introspector(self.tokens, time=self.clock.time, meter=self.world.meter),
            signer=self.signer,
            policy=PlaybackPolicy("https://cdn.example", ttl=300, playlist="master", **policy),
            time=self.clock.time,
            running=self.clock.time,
            leads_away=leads_away,
        )

    async def ask(
        self,
        quality: str = "auto",
        country: str | None = None,
        number: int = 1,
        token: str | None = TOKEN,
        session: str | None = None,
    ) -> ManifestAnswer | Refused:
        return await self.playback.manifest(content_id(number), token, quality, country, "correlation-1", session)

    async def answer(self, **question: Any) -> ManifestAnswer:
        answer = await self.ask(**question)
        assert isinstance(answer, ManifestAnswer), answer
        return answer

    async def refusal(self, **question: Any) -> Refused:
        refused = await self.ask(**question)
        assert isinstance(refused, Refused), refused
        return refused


async def showing(signer: CountingSigner | None = None, **changes: Any) -> Theatre:
    """A theatre whose content has these properties."""
    theatre = Theatre(signer)
    await theatre.world.playing(1, **changes)
    theatre.clock.moment = NOW + HOUR
    return theatre
