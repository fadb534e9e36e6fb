"""OME's webhooks: what may be published and played, which renditions a stream gets, and what OME complains about.

Admission and transcode are answered from memory, also while the store is down: OME waits for the answer, asks once,
and keeps what it was told for as long as the stream lives.
"""

from collections.abc import Callable, Mapping, Sequence
from datetime import timedelta
from ipaddress import IPv4Network, IPv6Network, ip_address
from typing import Any, Protocol, TypeVar

import structlog
from msgspec import Struct

from streaming_service.application.admission import IngestGate, Verdict
from streaming_service.application.ome_alerts import AlertPolicy, AlertStore, OmeAlerts, is_life, severity
from streaming_service.application.ports import Clock
from streaming_service.application.stream_directory import StreamDirectory
from streaming_service.application.viewer_gate import ViewerGate
from streaming_service.domain.ladder import Ladder
from streaming_service.domain.notification import Cause, Endpoint
from streaming_service.domain.ome_webhook import (
    Admission,
    Direction,
    ReplayGuard,
    TranscodeQuery,
    is_fresh,
    parse_admission,
    parse_alert,
    parse_transcode,
    replay_key,
    verify,
)
from streaming_service.domain.transcode import bypass_profile, fit, frame_rate, output_profile
from streaming_service.errors import InvalidInput
from streaming_service.tracing import traceparent

log = structlog.get_logger(__name__)

Answer = dict[str, Any]
_T = TypeVar("_T")

_ACTOR = "ome"
# OME asks about a stream when its first frames are decoded, which may be a while after `createdTime`.
_TRANSCODE_WINDOW = timedelta(minutes=10)
_ALERT_WINDOW = timedelta(minutes=5)


class HookMeter(Protocol):
    """Counts what became of the webhooks."""

    def ome_hook(self, hook: str, result: str) -> None: ...


class HookPolicy(Struct, frozen=True):
    """How this installation answers OME.

    `ladders` by OME application are for streams that we do not know. Playing directly from OME is for `edges`: the
    CDN, and ourselves. Without `cdn_only` also for viewers who would be given a manifest. `window` is how old a request
    may be.
    """

    ladders: Mapping[str, Ladder]
    stream_prefix: str
    playlist: str
    cdn_only: bool = True
    edges: Sequence[IPv4Network | IPv6Network] = ()
    window: timedelta = timedelta(seconds=60)
    alert_endpoints: frozenset[Endpoint] = frozenset()
    audit_topic: str | None = None


class OmeHooks:
    """Answers OME. The bodies are raw, and only those that `authentic` accepts may be handed to the others.

    These raise InvalidInput for a body that is not OME's; `alert` raises StoreError too. `changed` is told the
    content id of a channel that was written.
    """

    def __init__(
        self,
        *,
        secrets: Sequence[str],
        directory: StreamDirectory,
        store: AlertStore,
        policy: HookPolicy,
        gate: IngestGate,
        viewers: ViewerGate,
        clock: Clock,
        meter: HookMeter,
        changed: Callable[[str], None],
    ) -> None:
        self.directory = directory
        self._secrets = tuple(secrets)
        self._policy = policy
        self._gate = gate
        self._viewers = viewers
        self._clock = clock
        self._meter = meter
        told = AlertPolicy(policy.stream_prefix, policy.alert_endpoints, policy.audit_topic)
        self._book = OmeAlerts(store, told, clock=clock, changed=changed)
        self._admissions = ReplayGuard(2 * policy.window)
        self._transcodes = ReplayGuard(2 * _TRANSCODE_WINDOW)
        self._alerts = ReplayGuard(_ALERT_WINDOW, capacity=10_000)

    def authentic(self, hook: str, body: bytes, signature: str | None) -> bool:
        """Did OME sign exactly these bytes?"""
        if verify(body, signature, self._secrets):
            return True
        self._meter.ome_hook(hook, "bad_signature")
        log.warning("webhook without a valid signature of OME", hook=hook)
        return False

    async def settled(self, within: float) -> None:
        """What is still written down about publishers gets `within` seconds: the process is about to end."""
        await self._gate.settled(within)

    # -- admission ----------------------------------------------------------------------------------------------------

    async def admission(self, body: bytes) -> Answer:
        """May this client publish or play? Stale and repeated questions are answered no; a goodbye needs no answer."""
        asked = self._parsed("admission", parse_admission, body)
        if asked.closing:
            # Also stale and repeated: OME says it late, twice, or out of order, and it only ever ends something.
            if asked.direction is Direction.INCOMING:
                self._gate.closed(asked)
            self._meter.ome_hook("admission", "closing")
            return {}
        verdict = self._unrepeated(asked, body) or await self._judged(asked)
        self._meter.ome_hook("admission", "allowed" if verdict.allowed else "denied")
        if not verdict.allowed:
            # Without the URL: it may hold a stream key.
            log.info(
                "OME client refused",
                direction=asked.direction,
                protocol=asked.protocol,
                address=asked.address,
                reason=verdict.reason,
            )
        return verdict.answer()

    def _unrepeated(self, asked: Admission, body: bytes) -> Verdict | None:
        now = self._clock.now()
        if not is_fresh(asked.at, now, self._policy.window):
            return Verdict(allowed=False, reason="stale request")
        if not self._admissions.is_new(replay_key(body), now):
            return Verdict(allowed=False, reason="repeated request")
        return None

    async def _judged(self, asked: Admission) -> Verdict:
        if asked.direction is Direction.INCOMING:
            return await self._gate.admit(asked)
        if self._is_edge(asked.address):
            return Verdict(allowed=True)
        if self._policy.cdn_only:
            return Verdict(allowed=False, reason="playback is served by the CDN")
        return await self._viewers.admit(asked)

    def _is_edge(self, address: str) -> bool:
        try:
            peer = ip_address(address)
        except ValueError:
            return False
        return any(peer in network for network in self._policy.edges)

    # -- transcode ----------------------------------------------------------------------------------------------------

    async def transcode(self, body: bytes) -> Answer:
        """Which renditions does this stream get?"""
        asked = self._parsed("transcode", parse_transcode, body)
        now = self._clock.now()
        if not is_fresh(asked.created_at, now, _TRANSCODE_WINDOW):
            return self._no_profile(asked, "stale")
        if not self._transcodes.is_new(replay_key(body), now):
            return self._no_profile(asked, "repeated")
        default = self._policy.ladders.get(asked.application)
        if not asked.scheduled or default is None:
            # Refused, a publisher would be cut off; and what is not ours is none of our business.
            return self._profile("bypass", bypass_profile())
        wanted = await self.directory.find(asked.stream)
        ladder = wanted.ladder if wanted else default
        audio = asked.audio if asked.audio is not None else wanted is None or wanted.audio
        # The slate may be small and slow; what is pushed gets every rung, at the rate it comes in.
        live = wanted is not None and wanted.live
        profile = output_profile(
            ladder.rungs if live else fit(ladder, asked.width, asked.height),
            audio=audio,
            framerate=None if live else frame_rate(asked.framerate, b_frames=asked.b_frames),
            playlist=self._policy.playlist,
            ladder=ladder,
        )
        return self._profile("ladder" if wanted else "default", profile)

    def _profile(self, result: str, profile: dict[str, Any]) -> Answer:
        self._meter.ome_hook("transcode", result)
        return {"allowed": True, "outputProfiles": {"outputProfile": [profile]}}

    def _no_profile(self, asked: TranscodeQuery, result: str) -> Answer:
        self._meter.ome_hook("transcode", result)
        log.warning("transcode webhook refused", stream=asked.stream, created_at=str(asked.created_at), reason=result)
        return {"allowed": False, "reason": f"{result} request"}

    # -- alert --------------------------------------------------------------------------------------------------------

    async def alert(self, body: bytes, correlation_id: str) -> None:
        """Write it down and owe it to the platform, once per trouble of a stream's start and five minutes."""
        alert = self._parsed("alert", parse_alert, body)
        if is_life(alert):
            log.info("OME says", source=alert.source_uri, codes=alert.codes)
            return self._meter.ome_hook("alert", "life")
        if not self._alerts.is_new(alert.key, self._clock.now()):
            return self._meter.ome_hook("alert", "repeated")
        try:
            known = await self._book.write_down(alert, Cause(_ACTOR, correlation_id, traceparent()))
        except BaseException:
            self._alerts.forget(alert.key)
            self._meter.ome_hook("alert", "failed")
            raise
        log.warning("OME alert", source=alert.source_uri, codes=alert.codes, severity=severity(alert))
        return self._meter.ome_hook("alert", "recorded" if known else "no_channel")

    def _parsed(self, hook: str, parse: Callable[[bytes], _T], body: bytes) -> _T:
        try:
            return parse(body)
        except InvalidInput:
            self._meter.ome_hook(hook, "malformed")
            raise
