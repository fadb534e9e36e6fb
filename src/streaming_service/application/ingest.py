"""Keys that let push to live contents, and how a live content begins."""

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any, cast

import structlog
from msgspec import Struct

from streaming_service.application.intake import Intake
from streaming_service.application.ports import ChannelStore, Clock
from streaming_service.domain.audit import audited
from streaming_service.domain.channel import Channel
from streaming_service.domain.history import Change, change
from streaming_service.domain.ingest import previous_key_valid_until, rotated
from streaming_service.domain.ingest_key import SECRET_BYTES, digest, make_key
from streaming_service.domain.ingest_url import IngestAddresses, addresses
from streaming_service.domain.notification import Cause, Notifier
from streaming_service.domain.placement import stream_name
from streaming_service.domain.state import Status
from streaming_service.domain.upload import is_live
from streaming_service.errors import Conflict, InvalidInput, NotFound

log = structlog.get_logger(__name__)


class IngestPolicy(Struct, frozen=True):
    """How keys are made here. `grace`: how long the previous one stays good.

    `base` says where OME takes publishers for a channel, such as `rtmp://ome:1935`; several, for SRT and WHIP, are
    separated by commas. None: not known. `slate` is what plays when a live content names none.
    """

    stream_prefix: str
    vhost: str
    grace: timedelta
    base: Callable[[Channel], str | None]
    slate: str | None = None


class Rotated(Struct, frozen=True):
    """A new key, which is told this once. `previous_key_valid_until` is None when there is no previous one."""

    channel: Channel
    key: str
    addresses: IngestAddresses
    previous_key_valid_until: datetime | None

    def __repr__(self) -> str:
        return f"Rotated({self.channel.content_id})"


class Registered(Struct, frozen=True):
    """A live content, and its first key when that was made just now."""

    channel: Channel
    first: Rotated | None


class IngestKeys:
    """Makes keys. `entropy` gives so many bytes of a cryptographic source; `changed` is told what was written."""

    def __init__(
        self,
        *,
        store: ChannelStore,
        notifier: Notifier,
        clock: Clock,
        entropy: Callable[[int], bytes],
        policy: IngestPolicy,
        changed: Callable[[str], None],
    ) -> None:
        self._store = store
        self._notifier = notifier
        self._clock = clock
        self._entropy = entropy
        self._policy = policy
        self._changed = changed

    async def rotate(self, content_id: str, cause: Cause) -> Rotated:
        """Make another key. The one before is good for the grace; then whoever came with it is cut.

        On a content that is not live, the key is good once it is. Raises NotFound, InvalidInput for a retired content,
        and StoreUnavailable.
        """
        key = self._new_key(content_id)
        while True:
            channel = await self._active(content_id)
            moved, until = self._rotated(channel, key)
            owed = self._notifier.ingest_rotated(moved, self._paths(moved), cause, until)
            try:
                return await self._write(change(moved, "ingest-rotated", cause, owed), key, until)
            except Conflict:
                continue

    async def first(self, content_id: str, cause: Cause) -> Rotated | None:
        """The key that a content begins with; None when it has one. Raises as `rotate` does."""
        key = self._new_key(content_id)
        while True:
            channel = await self._active(content_id)
            if channel.ingest:
                return None
            moved, until = self._rotated(channel, key)
            try:
                return await self._write(change(moved, "ingest-key", cause), key, until)
            except Conflict:
                continue

    async def _active(self, content_id: str) -> Channel:
        channel = await self._store.get(content_id)
        if channel is None:
            raise NotFound(f"content {content_id} has no channel")
        if channel.status is Status.RETIRED:
            raise InvalidInput("contentId", "is retired: register it again to bring it back", code="retired")
        return channel

    def _new_key(self, content_id: str) -> str:
        return make_key(content_id, self._entropy(SECRET_BYTES))

    def _rotated(self, channel: Channel, key: str) -> tuple[Channel, datetime | None]:
        moved = rotated(channel, digest(key), self._clock.now(), self._policy.grace)
        return moved, previous_key_valid_until(moved)

    async def _write(self, made: Change, key: str, until: datetime | None) -> Rotated:
        made = audited(made, self._notifier.endpoints)
        written = await self._store.commit(made, made.channel.due_at(self._clock.now()))
        log.info("ingest key made", action=made.history.action, content_id=written.content_id)
        self._changed(written.content_id)
        return Rotated(written, key, self._addresses(written, key), until)

    def _addresses(self, channel: Channel, key: str) -> IngestAddresses:
        bases = (self._policy.base(channel) or "").split(",")
        return addresses(
            [base.strip() for base in bases if base.strip()], self._policy.vhost, channel.spec.application, key
        )

    def _paths(self, channel: Channel) -> tuple[str, ...]:
        """What a CDN may hold of it; before the first start, what was asked for too early."""
        held = [item for item in (channel.serving, channel.building) if item]
        found = [item.path for item in (*held, *(gone.placement for gone in channel.draining))]
        if not found:
            stream = stream_name(self._policy.stream_prefix, channel.content_id, channel.incarnation + 1)
            found = [f"/{channel.spec.application}/{stream}/"]
        return tuple(dict.fromkeys(f"{path}*" for path in found))


class Ingest(IngestKeys):
    """Adds how a live content begins."""

    def __init__(
        self,
        *,
        intake: Intake,
        store: ChannelStore,
        notifier: Notifier,
        clock: Clock,
        entropy: Callable[[int], bytes],
        policy: IngestPolicy,
        changed: Callable[[str], None],
    ) -> None:
        super().__init__(store=store, notifier=notifier, clock=clock, entropy=entropy, policy=policy, changed=changed)
        self._intake = intake

    async def register(self, body: Any, idempotency_key: str | None, cause: Cause) -> Registered:
        """Any registration. A live content gets its first key, once: a repeat neither shows nor changes it.

        Raises what `Intake.register` raises.
        """
        live = is_live(body)
        if live and self._policy.slate and not cast("dict[str, Any]", body).get("slateGcsUri"):
            body = {**body, "slateGcsUri": self._policy.slate}
        channel = await self._intake.register(body, idempotency_key, cause)
        first = await self.first(channel.content_id, cause) if live else None
        return Registered(first.channel if first else channel, first)

    def server(self, channel: Channel) -> str | None:
        """Where encoders connect to over RTMP, without a key; None: not known."""
        return self._addresses(channel, "").rtmp
