"""What OpenAPI says about the manifest route, which is answered by hand in front of the router."""

from typing import Annotated, Literal

from litestar import get
from litestar.datastructures import ResponseHeader
from litestar.openapi.datastructures import ResponseSpec
from litestar.openapi.spec import Example
from litestar.params import PathParameter, QueryParameter

from streaming_service.application.playback import Refused
from streaming_service.application.title import ManifestAnswer
from streaming_service.domain.access import HTTP_STATUS, Refusal
from streaming_service.entrypoints.http.clients import too_many_guesses
from streaming_service.entrypoints.http.described import refusals
from streaming_service.entrypoints.http.problems import PROBLEM_JSON, Failure, FieldError, Problem
from streaming_service.entrypoints.http.refusals import failure_of

_PATH = "/v1/streams/9b2e4c1a-7c1b-4d52-8a3f-2f8f0a1c6d11/manifest"
_MEANINGS = {
    400: "A parameter is wrong or given twice; `errors` names it.",
    401: "No token, or one that is not active.",
    403: "The token has not the scope `streams.read`, or does not entitle to this content.",
    404: "There is no such content.",
    405: "Only GET and HEAD.",
    409: "Not ready, or not available yet.",
    410: "Retired, or no longer available.",
    429: "Too many inactive tokens or unknown contents came from this address; what is known is still served.",
    451: "Not in the viewer's country.",
    502: "The token service refused to answer.",
    503: "The token service or the store does not answer and nothing is known here.",
}
_OTHERS = {
    400: Failure(
        400,
        "invalid_parameter",
        "device: is not one of mobile, tablet, web, tv",
        (FieldError("device", "is not one of mobile, tablet, web, tv"),),
    ),
    405: Failure(405, "method_not_allowed", "This path answers GET and HEAD."),
    429: too_many_guesses(30),
}


def _examples(status: int) -> list[Example]:
    failures = [failure_of(Refused(refusal)) for refusal in Refusal if HTTP_STATUS[refusal] == status]
    return [Example(summary=failure.code, value=failure.problem(_PATH)) for failure in failures or [_OTHERS[status]]]


_RESPONSES = {
    status: ResponseSpec(
        Problem,
        generate_examples=False,
        description=meaning,
        media_type=PROBLEM_JSON,
        examples=_examples(status),
    )
    for status, meaning in _MEANINGS.items()
}


@get(
    "/v1/streams/{contentId:str}/manifest",
    summary="A signed manifest URL for a viewer",
    operation_id="getManifest",
    tags=["playback"],
    security=[{"viewerToken": []}],
    responses={**_RESPONSES, **refusals()},
    response_description="The manifest's signed URL; the signature covers the segments, too, and so do `cookies`.",
    response_headers=[
        ResponseHeader("cache-control", value="", documentation_only=True, description="As in `policy.cacheControl`."),
        ResponseHeader("cdn-cache-control", value="", documentation_only=True, description="`private, max-age=30`"),
        ResponseHeader("edge-control", value="", documentation_only=True, description="`cache-maxage=30`"),
    ],
)
async def manifest(
    content_id: Annotated[str, PathParameter(name="contentId", description="The content's UUID.", format="uuid")],
    quality: Annotated[
        Literal["auto", "1080p", "720p", "480p", "360p"],
        QueryParameter(description="A cap: the playlist holds this rung and those below it."),
    ] = "auto",
    device: Annotated[
        Literal["mobile", "tablet", "web", "tv"] | None, QueryParameter(description="What it is played on.")
    ] = None,
    geo: Annotated[
        str | None,
        QueryParameter(
            pattern="^[A-Za-z]{2}$",
            description="ISO 3166-1 alpha-2. Counts only when the token names no country.",
        ),
    ] = None,
    session: Annotated[
        str | None, QueryParameter(format="uuid", description="The player's session. The scheme `hmac` signs it.")
    ] = None,
) -> ManifestAnswer:
    """The viewer's token is checked, then scope, entitlement, country and availability of the content.

    Unknown parameters are ignored; a known one that is wrong or given twice is refused.
    """
    raise NotImplementedError(content_id, quality, device, geo, session)
