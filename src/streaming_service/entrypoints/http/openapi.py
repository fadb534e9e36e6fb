"""`/openapi.json` and `/docs`: what this API does, told by its own routes.

The description is made from the routes when somebody asks for it, by an application that serves nothing.
"""

import asyncio
from collections.abc import Sequence
from typing import Any

import msgspec
from litestar import Litestar, Response, Router, get
from litestar.di import Provide
from litestar.openapi import OpenAPIConfig
from litestar.openapi.spec import (
    Components,
    OpenAPI,
    OpenAPIHeader,
    OpenAPIType,
    Operation,
    Parameter,
    Reference,
    Schema,
    SecurityScheme,
    Tag,
)
from litestar.types import ControllerRouterHandler

from streaming_service.entrypoints.http import correlation
from streaming_service.entrypoints.http.described import RETRY_STATUSES, refusals
from streaming_service.entrypoints.http.docs_page import PAGE_POLICY, render_page
from streaming_service.entrypoints.http.examples import EXAMPLES
from streaming_service.entrypoints.http.manifest_described import manifest

_DESCRIPTION = """The playback control plane for OvenMediaEngine: uploads in, signed and playable manifests out.

Timestamps are UTC with milliseconds and `Z`. Errors are RFC 9457 problem details with a stable `code`. Every answer
names its request in `x-correlation-id`. HEAD is answered wherever GET is."""

_TEXT = Schema(type=OpenAPIType.STRING)
_COMPONENTS = Components(
    security_schemes={
        "viewerToken": SecurityScheme(type="http", scheme="bearer", description="A viewer's token."),
        "serviceToken": SecurityScheme(type="http", scheme="bearer", description="A service token."),
        "serviceTokenHeader": SecurityScheme(
            type="apiKey", name="x-service-token", security_scheme_in="header", description="A service token."
        ),
        "omeSignature": SecurityScheme(
            type="apiKey",
            name="X-OME-Signature",
            security_scheme_in="header",
            description="Unpadded base64url of HMAC-SHA1(OME_WEBHOOK_SECRET, raw body).",
        ),
        "googlePush": SecurityScheme(
            type="http",
            scheme="bearer",
            bearer_format="JWT",
            description="Google's OpenID Connect token of a Pub/Sub push: audience PUBSUB_PUSH_AUDIENCE, account "
            "PUBSUB_PUSH_SERVICE_ACCOUNT. Refused unless both are set.",
        ),
        "metricsToken": SecurityScheme(type="http", scheme="bearer", description="The metrics token."),
    },
    headers={
        "CorrelationId": OpenAPIHeader(schema=_TEXT, description="The caller's id for this request, or a new one."),
        "RetryAfter": OpenAPIHeader(schema=Schema(type=OpenAPIType.INTEGER), description="Seconds to wait."),
        "WwwAuthenticate": OpenAPIHeader(schema=_TEXT, description="How to authenticate."),
    },
    parameters={
        "CorrelationId": Parameter(
            name=correlation.HEADER,
            param_in="header",
            required=False,
            schema=Schema(type=OpenAPIType.STRING, max_length=128, pattern="^[A-Za-z0-9-]+$"),
            description="Goes into every log line, call and event that this request causes; another form is replaced.",
        )
    },
)
_TAGS = [
    Tag(name="playback", description="For viewers."),
    Tag(name="streams", description="Channels, for operators and other services."),
    Tag(name="dead letters", description="Messages that could not be understood."),
    Tag(name="deliveries", description="Notifications that are owed, and what became of them."),
    Tag(name="origins", description="The OMEs, for operators."),
    Tag(name="failover", description="Where viewers are sent, for operators."),
    Tag(name="internal", description="For other services."),
    Tag(name="OME webhooks", description="For OvenMediaEngine; not there unless OME_WEBHOOK_SECRET is set."),
    Tag(name="health", description="For orchestrators."),
    Tag(name="metrics", description="For scrapers."),
    Tag(name="documentation", description="This."),
]


def docs_router(routes: Sequence[ControllerRouterHandler], version: str) -> Router:
    """The two documentation routes for these routes and the manifest's."""
    documents: dict[str, Any] = {}
    making = asyncio.Lock()

    async def document() -> dict[str, Any]:
        async with making:
            if not documents:
                # Some tens of milliseconds of work, which viewers should not wait for.
                documents.update(await asyncio.to_thread(lambda: describe([*routes, router], version)))
        return documents

    @get(
        "/openapi.json",
        summary="This API, OpenAPI 3.1",
        operation_id="getOpenApi",
        tags=["documentation"],
        responses=refusals(),
    )
    async def openapi_json() -> dict[str, Any]:
        """The description that you are reading."""
        return await document()

    @get(
        "/docs",
        summary="This API, to read",
        operation_id="getDocs",
        media_type="text/html",
        tags=["documentation"],
        responses=refusals(),
    )
    async def docs() -> Response[str]:
        """One page without scripts that loads nothing from anywhere."""
        page = render_page(await document())
        return Response(page, media_type="text/html", headers={"content-security-policy": PAGE_POLICY})

    router = Router("/", route_handlers=[openapi_json, docs])
    return router


def describe(routes: Sequence[ControllerRouterHandler], version: str) -> dict[str, Any]:
    """The OpenAPI document of these routes and the manifest's, as JSON values."""

    async def provide_nothing() -> None: ...

    config = OpenAPIConfig(
        title="Streaming Service",
        version=version,
        description=_DESCRIPTION,
        components=_COMPONENTS,
        tags=_TAGS,
        use_handler_docstrings=True,
    )
    app = Litestar(
        [manifest, *routes],
        dependencies={"api": Provide(provide_nothing)},
        openapi_config=config,
        logging_config=None,
        debug=False,
    )
    schema = app.openapi_schema
    _complete(schema)
    # Examples are structs of ours; a document holds plain values only.
    return msgspec.to_builtins(schema.to_schema())


def _complete(schema: OpenAPI) -> None:
    """What holds for every route is written down here instead of at every route."""
    for name, example in EXAMPLES.items():
        schema.components.schemas[name].examples = [example]
    for item in (schema.paths or {}).values():
        for operation in (item.get, item.post, item.delete):
            if operation is not None:
                _complete_operation(operation)


def _complete_operation(operation: Operation) -> None:
    for parameter in operation.parameters or []:
        if isinstance(parameter, Parameter) and isinstance(parameter.schema, Schema):
            _without_null(parameter.schema)
    operation.parameters = [*(operation.parameters or []), Reference(ref="#/components/parameters/CorrelationId")]
    for status, response in (operation.responses or {}).items():
        if isinstance(response, Reference):
            continue
        headers = {**(response.headers or {}), correlation.HEADER: _header("CorrelationId")}
        if int(status) in RETRY_STATUSES:
            headers["retry-after"] = _header("RetryAfter")
        if int(status) == 401:
            headers["www-authenticate"] = _header("WwwAuthenticate")
        response.headers = headers


def _without_null(schema: Schema) -> None:
    """An optional parameter is left out; there is no way to write null into a query."""
    if schema.one_of:
        said = [item for item in schema.one_of if isinstance(item, Reference) or item.type is not OpenAPIType.NULL]
        schema.one_of = None
        if isinstance(said[0], Schema):
            schema.type = said[0].type
        else:
            schema.all_of = said
    elif isinstance(schema.type, list):
        schema.type = next(item for item in schema.type if item is not OpenAPIType.NULL)
        schema.enum = [item for item in schema.enum or () if item is not None] or None


def _header(name: str) -> Reference:
    return Reference(ref=f"#/components/headers/{name}")
