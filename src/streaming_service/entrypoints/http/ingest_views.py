"""Ingest on the wire: who may push, who does, and keys in the one answer that tells them."""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Annotated

from msgspec import Meta, Struct

from streaming_service.application.ingest import Rotated
from streaming_service.domain.channel import Channel
from streaming_service.domain.clock import to_wire
from streaming_service.domain.ingest import publisher_of
from streaming_service.domain.ingest_key import IngestKey
from streaming_service.domain.publisher import Publisher
from streaming_service.entrypoints.http.moments import Moment, moment

_Server = Annotated[str | None, Meta(description="RTMP server, to which encoders add the key; null: not configured.")]
_Srt = Annotated[str | None, Meta(description="The whole SRT address, with the key.")]
_Whip = Annotated[str | None, Meta(description="The whole WHIP address, with the key.")]


class KeyView(Struct, rename="camel", omit_defaults=True):
    """An ingest key, which itself is shown once, when it is made."""

    id: Annotated[str, Meta(description="The beginning of its SHA-256: tells keys apart, and lets nobody in.")]
    made_at: Moment
    valid_until: Annotated[Moment | None, Meta(description="Only of keys that were rotated.")] = None


class PublisherView(Struct, rename="camel", omit_defaults=True):
    """Who pushes, as OME told us: a hint."""

    address: str
    port: int
    protocol: str
    since: Moment
    until: Annotated[Moment | None, Meta(description="Cut off then: it came with an old key.")] = None


class IngestView(Struct, rename="camel", omit_defaults=True):
    """How a live content is pushed; with its first key in the one answer that tells it."""

    url: _Server
    keys: tuple[KeyView, ...]
    publisher: PublisherView | None = None
    stream_key: Annotated[str | None, Meta(description="The first key. It is never shown again.")] = None
    srt_url: _Srt = None
    whip_url: _Whip = None


class IngestCredentials(Struct, rename="camel", omit_defaults=True):
    """What an encoder needs. The key is never shown again."""

    url: _Server
    stream_key: str
    previous_key_valid_until: Annotated[Moment | None, Meta(description="Null when this is the first key.")]
    srt_url: _Srt = None
    whip_url: _Whip = None


class IngestViews:
    """`server` says where encoders connect to over RTMP, `now` what time it is."""

    def __init__(
        self, server: Callable[[Channel], str | None], now: Callable[[], datetime] = lambda: datetime.now(UTC)
    ) -> None:
        self._server = server
        self._now = now

    def ingest(self, channel: Channel, first: Rotated | None = None) -> IngestView:
        """Of a live content; `first` is its first key when that was made just now."""
        publisher = publisher_of(channel, self._now())
        return IngestView(
            url=self._server(channel),
            keys=tuple(_key(key) for key in channel.ingest),
            publisher=publisher and _publisher(publisher),
            stream_key=first.key if first else None,
            srt_url=first.addresses.srt if first else None,
            whip_url=first.addresses.whip if first else None,
        )


def credentials(made: Rotated) -> IngestCredentials:
    """The answer to a rotation."""
    return IngestCredentials(
        url=made.addresses.rtmp,
        stream_key=made.key,
        previous_key_valid_until=moment(made.previous_key_valid_until),
        srt_url=made.addresses.srt,
        whip_url=made.addresses.whip,
    )


def _key(key: IngestKey) -> KeyView:
    return KeyView(key.digest[:12], to_wire(key.made_at), moment(key.valid_until))


def _publisher(item: Publisher) -> PublisherView:
    return PublisherView(item.address, item.port, item.protocol, to_wire(item.since), moment(item.until))
