"""Errors on the wire: RFC 9457 `application/problem+json`.

`code` is what programs read, `detail` what people read. Nothing that an outside service or a database said gets into
an answer: it may hold what is secret.
"""

from collections.abc import Sequence
from http import HTTPStatus
from typing import Annotated
from urllib.parse import quote

import msgspec
from msgspec import Meta, Struct

PROBLEM_JSON = "application/problem+json"
RETRY_AFTER = 2
_TITLES = {status.value: status.phrase for status in HTTPStatus}
_encode = msgspec.json.Encoder().encode


class FieldError(Struct, frozen=True):
    """One field that is wrong: its name on the wire, and what is expected of it."""

    field: Annotated[str, Meta(examples=["checksum"])]
    message: Annotated[str, Meta(examples=["is missing"])]


class Problem(Struct, omit_defaults=True):
    """RFC 9457 problem details. `code` is stable; `errors` names the fields that are wrong."""

    type: Annotated[str, Meta(description="A URI that names the kind of problem.")]
    title: Annotated[str, Meta(description="The status in words.")]
    status: Annotated[int, Meta(description="The HTTP status.")]
    detail: Annotated[str, Meta(description="What is wrong with this request, for a person.")]
    instance: Annotated[str, Meta(description="The path that was asked for.")]
    code: Annotated[str, Meta(description="What is wrong, for a program; stable.")]
    errors: Annotated[Sequence[FieldError], Meta(description="The fields that are wrong, when fields are.")] = ()


class Failure(Struct, frozen=True):
    """Why a request is refused, before it is known which one it was."""

    status: int
    code: str
    detail: str
    errors: tuple[FieldError, ...] = ()
    headers: tuple[tuple[str, str], ...] = ()

    def problem(self, path: str) -> Problem:
        """As an answer to a request for `path`."""
        return Problem(
            type=f"urn:streaming-service:problem:{self.code}",
            title=_TITLES.get(self.status, "Error"),
            status=self.status,
            detail=self.detail,
            instance=quote(path, safe="/:@!$&'()*+,;=~"),
            code=self.code,
            errors=self.errors,
        )

    def body(self, path: str) -> bytes:
        """The problem as JSON."""
        return _encode(self.problem(path))


def retry_after(seconds: float | None = None) -> tuple[tuple[str, str], ...]:
    """The header that says when another try makes sense, in whole seconds."""
    return (("retry-after", str(max(1, round(seconds or RETRY_AFTER)))),)


INTERNAL_ERROR = Failure(500, "internal_error", "Something went wrong here; the log has it under the correlation id.")
SHUTTING_DOWN = Failure(503, "shutting_down", "This process is stopping: ask again.", headers=retry_after(1))
TOO_MANY_CONNECTIONS = Failure(
    503, "too_many_connections", "This process has as many connections as it takes: ask again.", headers=retry_after(1)
)
