"""A dead letter as people are shown it, over HTTP and on the command line."""

from base64 import b64encode
from collections.abc import Mapping
from typing import Annotated

from msgspec import Meta, Struct

from streaming_service.application.ports import DeadLetter, ListedDeadLetter
from streaming_service.domain.clock import to_wire
from streaming_service.entrypoints.http.moments import Moment


class DeadLetterView(Struct, rename="camel", omit_defaults=True, kw_only=True):
    """A message, whole, with the reason why it was not understood."""

    id: str
    received_at: Moment
    source: str
    message_id: str
    reason: str
    field: Annotated[str, Meta(description="The field that is wrong.")]
    attributes: Mapping[str, str]
    size_bytes: int
    data: Annotated[str, Meta(description="The bytes, base64; lists leave out those above 4 KiB.")] | None = None
    text: Annotated[str, Meta(description="The same as text, when it is UTF-8.")] | None = None


def view(letter: DeadLetter | ListedDeadLetter) -> DeadLetterView:
    """With its data where it has been read."""
    return DeadLetterView(
        id=letter.id,
        received_at=to_wire(letter.received_at),
        source=letter.source,
        message_id=printable(letter.message_id),
        reason=printable(letter.reason),
        field=printable(letter.field),
        attributes={printable(name): printable(value) for name, value in letter.attributes.items()},
        size_bytes=len(letter.data) if isinstance(letter, DeadLetter) else letter.size,
        data=None if letter.data is None else b64encode(letter.data).decode(),
        text=None if letter.data is None else _text(letter.data),
    )


def printable(text: str) -> str:
    """Foreign text may hold half characters, which UTF-8 cannot carry."""
    return text.encode(errors="replace").decode()


def _text(data: bytes) -> str | None:
    try:
        return data.decode()
    except UnicodeDecodeError:
        return None
