"""`/v1/admin/dead-letters`: messages that could not be understood."""

from collections.abc import Sequence

from litestar import Router, delete, get, post
from msgspec import Struct

from streaming_service.entrypoints.dead_letter_view import DeadLetterView, view
from streaming_service.entrypoints.http.described import GUARDED, refusals
from streaming_service.entrypoints.http.parameters import Api, Cursor, ItemId, Limit, admin_cause


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
    return DeadLetterList([view(letter) for letter in letters], following)


@get("/{id:str}", summary="One dead letter", operation_id="getDeadLetter", responses=refusals(400, *GUARDED, 404))
async def get_dead_letter(api: Api, letter_id: ItemId) -> DeadLetterView:
    """With all of its data."""
    return view(await api.administration.dead_letter(letter_id))


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


dead_letters_router = Router(
    "/v1/admin/dead-letters",
    route_handlers=[list_dead_letters, get_dead_letter, replay_dead_letter, delete_dead_letter],
    tags=["dead letters"],
)
