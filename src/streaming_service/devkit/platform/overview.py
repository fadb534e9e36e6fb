"""The page that lists everything the stand-ins were sent."""

from collections.abc import Sequence

import msgspec
from aiohttp import web

from streaming_service.devkit.platform.desk import Desk, Handler
from streaming_service.devkit.platform.tokens import DemoTokens


def overview(desk: Desk, tokens: DemoTokens, paths: Sequence[str]) -> Handler:
    """`{tokens: {token: introspection}, paths: {path: {count, received}}}`."""

    async def handle(request: web.Request) -> web.Response:
        del request
        content = {"tokens": tokens.listing(), "paths": {path: desk.summary(path) for path in paths}}
        return web.Response(body=msgspec.json.encode(content), content_type="application/json")

    return handle
