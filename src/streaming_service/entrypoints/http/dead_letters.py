"""`/v1/admin/dead-letters`: messages that could not be understood."""

from base64 import b64encode
from collections.abc import Mapping, Sequence
from typing import Annotated

from litestar import Router, delete, get, post
from msgspec import Meta, Struct

from streaming_service.application.ports import DeadLetter
from streaming_service.domain.clock import to_wire
from streaming_service.entrypoints.http.described import GUARDED, refusals
from streaming_service.entrypoints.http.moments import Moment
from streaming_service.entrypoints.http.parameters import Api, Cursor, ItemId, Limit, admin_cause

# A page of large messages would be a very large page: those are shown one by one.
_SHOWN_IN_LISTS = 4096


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


class DeadLetterList(Struct):
    """A page, the newest first; `next` is null on the last."""

    items: Sequence[DeadLetterView]
    next: str | None


class Replayed(Struct):
    """What became of it."""

    status: str = "replayed"


@get("/", summary="List dead letters", operation_id="listDeadLetters", responses=refusals(400, *GUARDED))
async def list_dead_letters(api: Api, limit: Limit = 50, cursor: Cursor = None) -> DeadLetterList:
    """The newest first."""
    letters, following = await api.administration.dead_letters(limit, cursor)
    return DeadLetterList([_view(letter, _SHOWN_IN_LISTS) for letter in letters], following)


@get("/{id:str}", summary="One dead letter", operation_id="getDeadLetter", responses=refusals(400, *GUARDED, 404))
async def get_dead_letter(api: Api, letter_id: ItemId) -> DeadLetterView:
    """With all of its data."""
    return _view(await api.administration.dead_letter(letter_id))


@post(
    "/{id:str}/replay",
    status_code=202,
    summary="Try to understand it again",
    operation_id="replayDeadLetter",
    responses=refusals(400, *GUARDED, 404, 422, 502),
)
async def replay_dead_letter(api: Api, letter_id: ItemId) -> Replayed:
    """Understood and closed; or 422 with what is still wrong, and it stays."""
    await api.administration.replay_dead_letter(letter_id, admin_cause())
    return Replayed()


@delete("/{id:str}", summary="Give it up", operation_id="deleteDeadLetter", responses=refusals(400, *GUARDED, 404))
async def delete_dead_letter(api: Api, letter_id: ItemId) -> None:
    """Gone for good."""
    await api.administration.delete_dead_letter(letter_id, admin_cause())


def _view(letter: DeadLetter, shown: int | None = None) -> DeadLetterView:
    data = letter.data if shown is None or len(letter.data) <= shown else None
    return DeadLetterView(
        id=letter.id,
        received_at=to_wire(letter.received_at),
        source=letter.source,
        message_id=_printable(letter.message_id),
        reason=_printable(letter.reason),
        field=_printable(letter.field),
        attributes={_printable(name): _printable(value) for name, value in letter.attributes.items()},
        size_bytes=len(letter.data),
        data=None if data is None else b64encode(data).decode(),
        text=None if data is None else _text(data),
    )


def _text(data: bytes) -> str | None:
    try:
        return data.decode()
    except UnicodeDecodeError:
        return None


def _printable(text: str) -> str:
    """Foreign text may hold half characters, which JSON in UTF-8 cannot carry."""
    return text.encode(errors="replace").decode()


dead_letters_router = Router(
    "/v1/admin/dead-letters",
    route_handlers=[list_dead_letters, get_dead_letter, replay_dead_letter, delete_dead_letter],
    tags=["dead letters"],
)
