"""Parameters that several routes share, checked and described once."""

from typing import Annotated, TypeAlias

from litestar.params import HeaderParameter, PathParameter, QueryParameter, SkipValidation

from streaming_service.application.channel_operations import MAX_PAGE
from streaming_service.context import correlation_id
from streaming_service.domain.content import parse_content_id
from streaming_service.domain.notification import Cause
from streaming_service.entrypoints.http.context import AgentContext, ApiContext, ProcessContext
from streaming_service.entrypoints.http.failures import BadParameter
from streaming_service.errors import InvalidInput
from streaming_service.tracing import traceparent

Api: TypeAlias = SkipValidation[ApiContext]
Agent: TypeAlias = SkipValidation[AgentContext]
Process: TypeAlias = SkipValidation[ProcessContext]

ContentId: TypeAlias = Annotated[str, PathParameter(name="contentId", description="The content's UUID.", format="uuid")]
ItemId: TypeAlias = Annotated[str, PathParameter(name="id", description="Its id.")]
Limit: TypeAlias = Annotated[int, QueryParameter(ge=1, le=MAX_PAGE, description="How many items a page holds.")]
Cursor: TypeAlias = Annotated[
    str | None, QueryParameter(max_length=2048, description="`next` of the page before; leave out for the first page.")
]
IdempotencyKey: TypeAlias = Annotated[
    str | None,
    HeaderParameter(
        name="Idempotency-Key",
        min_length=1,
        max_length=255,
        description="Makes repeating the request safe for 24 hours; with another body it is refused.",
    ),
]


def content_id_of(text: str) -> str:
    """A content id from the path, in its canonical spelling. Raises BadParameter."""
    try:
        return parse_content_id(text)
    except InvalidInput as error:
        raise BadParameter(error.field, error.reason) from error


def admin_cause() -> Cause:
    """Who is behind a change that is made over the admin routes."""
    return Cause("admin-api", correlation_id.get(), traceparent())
