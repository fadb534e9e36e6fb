"""Cursors: where the next page of a listing begins, opaque to whoever carries them."""

from base64 import urlsafe_b64decode, urlsafe_b64encode
from typing import Annotated, TypeVar

import msgspec
from msgspec import Meta, Struct

from streaming_service.errors import InvalidInput

_Number = Annotated[int, Meta(ge=-(2**63), le=2**63 - 1)]


class AfterChannel(Struct, frozen=True, tag="channels", array_like=True):
    """The content id that ended the last page."""

    content_id: str


class BeforeDelivery(Struct, frozen=True, tag="deliveries", array_like=True):
    """The number of the delivery that ended the last page, and its id where two may have one number."""

    sequence: _Number
    id: str = ""


class BeforeDeadLetter(Struct, frozen=True, tag="dead-letters", array_like=True):
    """Moment (microseconds) and id of the letter that ended the last page."""

    received_at: _Number
    id: str


_Position = TypeVar("_Position", AfterChannel, BeforeDelivery, BeforeDeadLetter)


def to_cursor(position: AfterChannel | BeforeDelivery | BeforeDeadLetter) -> str:
    """URL-safe text of a position."""
    return urlsafe_b64encode(msgspec.json.encode(position)).decode().rstrip("=")


def from_cursor(cursor: str, shape: type[_Position]) -> _Position:
    """Back to the position. Raises InvalidInput when no listing of this kind gave that cursor."""
    try:
        return msgspec.json.decode(urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)), type=shape)
    except ValueError as error:  # covers base64's, Unicode's and msgspec's own
        raise InvalidInput("cursor", "is not one that this listing answered") from error
