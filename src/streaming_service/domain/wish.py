"""What a request means for a channel: new, changed, the same, or overtaken.

Requests arrive late, twice and out of order; the outcome depends on what was said when, never on the order of
arrival. For that each part of a spec is a register of its own, and its newest word wins (a last-writer-wins map:
Shapiro et al., A comprehensive study of Convergent and Commutative Replicated Data Types, 2011). What belongs to
other media, or to another classification, than the ones in force does not count.
"""

from collections.abc import Mapping
from datetime import datetime
from enum import StrEnum
from typing import Any, TypeVar
from urllib.parse import urlsplit

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from streaming_service.domain.channel import Channel, accepted
from streaming_service.domain.content import Classification, parse_protocol
from streaming_service.domain.ladder import Ladder
from streaming_service.domain.source import MediaMounts
from streaming_service.domain.spec import ChannelSpec, Said
from streaming_service.domain.state import Status
from streaming_service.domain.upload import ProvisionRequest

_T = TypeVar("_T", str, Classification)

_OF_MEDIA = frozenset({"source", "renditions", "bucket", "storage_prefix", "source_ready_at", "duration", "live"})
_OF_CLASSIFICATION = frozenset({"application"})
_OPTIONAL = (
    "tenant_id",
    "base_url",
    "ingest_region",
    "drm",
    "availability",
    "geo",
    "renditions",
    "bucket",
    "storage_prefix",
    "source_ready_at",
    "duration",
)


class Outcome(StrEnum):
    """What became of a request."""

    CREATED = "created"
    REVISED = "revised"
    UNCHANGED = "unchanged"
    SUPERSEDED = "superseded"


class SpecPolicy(Struct, frozen=True):
    """How this installation turns requests into specs."""

    ladders: Mapping[Classification, Ladder]
    applications: Mapping[Classification, str]
    mounts: MediaMounts
    allowed_hosts: frozenset[str] = frozenset()


class Wish(Struct, frozen=True):
    """The outcome, and the channel to write; it is the very one that was given when there is nothing to write."""

    outcome: Outcome
    channel: Channel


class _Word(Struct, frozen=True):
    """What was said, and when."""

    at: datetime
    value: Any

    @property
    def rank(self) -> tuple[datetime, bytes]:
        """Of two words said at the same instant any may win, but always the same one."""
        return self.at, msgspec.json.encode(self.value)


def decide(current: Channel | None, request: ProvisionRequest, policy: SpecPolicy, now: datetime) -> Wish:
    """Raises InvalidInput when the policy does not allow the request."""
    words = _words_of(request, policy)
    if current is None:
        spec = _spec(request.content_id, request.checksum, request.classification, words, policy)
        return Wish(Outcome.CREATED, accepted(spec, now, request.said_at, Said(_moments(words))))
    if current.retired_at and request.said_at <= max(current.retired_at, current.said_at):
        return Wish(Outcome.SUPERSEDED, current)
    spec, said = _merged(current, request, words, policy)
    said_at = max(request.said_at, current.said_at)
    if spec.hash != current.spec_hash or current.status is Status.RETIRED:
        return Wish(Outcome.REVISED, current.revised(spec, now, said_at, said))
    outcome = Outcome.UNCHANGED if request.checksum == spec.checksum else Outcome.SUPERSEDED
    if (said_at, said) == (current.said_at, current.said):
        return Wish(outcome, current)
    return Wish(outcome, current.confirmed(now, said_at, said))


def with_presets(channel: Channel, policy: SpecPolicy, now: datetime) -> Channel | None:
    """The channel with the ladder that its classification has now; None when it has that already, or is retired."""
    spec = replace(channel.spec, rungs=policy.ladders[channel.spec.classification].rungs)
    if channel.status is Status.RETIRED or spec == channel.spec:
        return None
    return channel.revised(spec, now, channel.said_at)


def _merged(
    current: Channel, request: ProvisionRequest, words: Mapping[str, _Word], policy: SpecPolicy
) -> tuple[ChannelSpec, Said]:
    old = current.spec
    checksum, other_media = _in_force(
        (current.said_at, old.checksum), current.said.other_media, (request.said_at, request.checksum)
    )
    classification, other_classification = _in_force(
        (current.said_at, old.classification),
        current.said.other_classification,
        (request.said_at, request.classification),
    )
    kept: dict[str, _Word] = {}
    for spoken, about, under in (
        (_words_known(current), old.checksum, old.classification),
        (words, request.checksum, request.classification),
    ):
        for name, word in spoken.items():
            if name in _OF_MEDIA and not _counts(word.at, about, checksum, other_media):
                continue
            if name in _OF_CLASSIFICATION and not _counts(word.at, under, classification, other_classification):
                continue
            if name not in kept or kept[name].rank < word.rank:
                kept[name] = word
    spec = _spec(old.content_id, checksum, classification, kept, policy)
    return spec, Said(_moments(kept), other_media, other_classification)


def _in_force(
    known: tuple[datetime, _T], other: tuple[datetime, _T] | None, said: tuple[datetime, _T]
) -> tuple[_T, tuple[datetime, _T] | None]:
    """The newest answer to what every request answers, and the newest one that differs from it."""
    if said[1] == known[1]:
        return known[1], other
    if said > known:
        return said[1], known
    return known[1], max(said, other) if other else said


def _counts(at: datetime, about: _T, in_force: _T, other: tuple[datetime, _T] | None) -> bool:
    """Whether a word about this media is about the one in force, and was said since that is in force."""
    return about == in_force and (other is None or (at, about) > other)


def _words_of(request: ProvisionRequest, policy: SpecPolicy) -> dict[str, _Word]:
    source = (str(request.source), policy.mounts.media_path(request.source, request.source_field))
    said: dict[str, Any] = {name: getattr(request, name) for name in _OPTIONAL}
    said["source"] = source
    said["live"] = request.live or None
    said["base_url"] = _allowed_base(request.base_url, policy)
    said["protocol"] = request.protocol if request.said_protocol else None
    said["application"] = _hinted_application(request, policy)
    return {name: _Word(request.said_at, value) for name, value in said.items() if value is not None}


def _words_known(current: Channel) -> dict[str, _Word]:
    spec, moments = current.spec, current.said.parts
    known: dict[str, Any] = {name: getattr(spec, name) for name in _OPTIONAL}
    known["source"] = (spec.source_uri, spec.media_path)
    known["live"] = spec.live or None
    # Every spec has these two, said or not.
    known |= {name: getattr(spec, name) for name in ("protocol", "application") if name in moments}
    return {
        name: _Word(moments.get(name, current.said_at), value) for name, value in known.items() if value is not None
    }


def _moments(words: Mapping[str, _Word]) -> dict[str, datetime]:
    return {name: word.at for name, word in sorted(words.items())}


def _spec(
    content_id: str, checksum: str, classification: Classification, words: Mapping[str, _Word], policy: SpecPolicy
) -> ChannelSpec:
    said = {name: word.value for name, word in words.items()}
    source_uri, media_path = said["source"]
    return ChannelSpec(
        content_id=content_id,
        classification=classification,
        source_uri=source_uri,
        media_path=media_path,
        checksum=checksum,
        application=said.get("application", policy.applications[classification]),
        protocol=said.get("protocol", parse_protocol(None, classification, "protocol")),
        rungs=policy.ladders[classification].rungs,
        live=said.get("live", False),
        **{name: said.get(name) for name in _OPTIONAL},
    )


def _hinted_application(request: ProvisionRequest, policy: SpecPolicy) -> str | None:
    if not request.application_hint:
        return None
    return policy.applications[Classification.REEL if request.application_hint == "reels" else Classification.SERIES]


def _allowed_base(url: str | None, policy: SpecPolicy) -> str | None:
    """An event must not be able to make us sign for a foreign host: anything else than an allowed one is not said."""
    if not url:
        return None
    try:
        parts = urlsplit(url)
        allowed = parts.scheme in {"http", "https"} and parts.netloc in policy.allowed_hosts
    except ValueError:
        return None
    if not allowed or parts.query or parts.fragment:
        return None
    return f"{parts.scheme}://{parts.netloc}{parts.path.rstrip('/')}"
