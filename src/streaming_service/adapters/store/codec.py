"""Structs to the text that rows hold, and back.

Rows hold whole structs as JSON. Fields that this version does not know are ignored and missing ones take their
defaults, so that two releases can work on one database. Moments that are searched by are integers: microseconds
since 1970 UTC, which every database sorts alike.
"""

import json
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import TypeVar, overload

import msgspec
from msgspec import Struct

from streaming_service.application.ports import Attempt
from streaming_service.domain.channel import Channel
from streaming_service.domain.failover import Standing
from streaming_service.domain.history import HistoryEntry
from streaming_service.domain.notification import Notification
from streaming_service.errors import StoreError

_T = TypeVar("_T")
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
KEPT_ATTEMPTS = 20

_encoder = msgspec.json.Encoder()
_channel = msgspec.json.Decoder(Channel)
_history = msgspec.json.Decoder(HistoryEntry)
_notification = msgspec.json.Decoder(Notification)
_attempt = msgspec.json.Decoder(Attempt)
_standing = msgspec.json.Decoder(Standing)


@overload
def to_micros(moment: datetime) -> int: ...
@overload
def to_micros(moment: None) -> None: ...
def to_micros(moment: datetime | None) -> int | None:
    """Microseconds since 1970 UTC, exactly."""
    return None if moment is None else (moment - _EPOCH) // _MICROSECOND


@overload
def from_micros(micros: int) -> datetime: ...
@overload
def from_micros(micros: None) -> None: ...
def from_micros(micros: int | None) -> datetime | None:
    """The moment in UTC, exactly."""
    return None if micros is None else _EPOCH + micros * _MICROSECOND


def encode(value: Struct) -> str:
    """A struct as a JSON document."""
    return _encoder.encode(value).decode()


def decode_channel(document: str) -> Channel:
    """Raises StoreError for a document that a newer release wrote and this one cannot read."""
    return _decode(_channel, document)


def decode_history(document: str) -> HistoryEntry:
    """Raises StoreError, as decode_channel does."""
    return _decode(_history, document)


def decode_notification(document: str) -> Notification:
    """Raises StoreError, as decode_channel does."""
    return _decode(_notification, document)


def decode_standing(document: str) -> Standing:
    """Raises StoreError, as decode_channel does."""
    return _decode(_standing, document)


def encode_attempt(attempt: Attempt) -> str:
    """One line, so that an attempt is added to a row without reading it."""
    return encode(attempt) + "\n"


def decode_attempts(lines: str) -> tuple[Attempt, ...]:
    """The last 20 lines, oldest first. Raises StoreError, as decode_channel does."""
    return tuple(_decode(_attempt, line) for line in lines.split("\n")[:-1][-KEPT_ATTEMPTS:])


def encode_texts(texts: Mapping[str, object]) -> str:
    """Foreign text as JSON in plain ASCII: it may hold NULs and lone surrogates, which no database column takes."""
    return json.dumps(texts, ensure_ascii=True)


def decode_texts(document: str) -> dict[str, object]:
    """What encode_texts wrote."""
    return json.loads(document)


def _decode(decoder: msgspec.json.Decoder[_T], document: str) -> _T:
    try:
        return decoder.decode(document)
    except msgspec.MsgspecError as error:
        raise StoreError(f"a record cannot be read by this release: {error}") from error
