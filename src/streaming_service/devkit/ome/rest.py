"""OME's REST manners: Basic auth, the envelope, exact routes, and the words it refuses with."""

import base64
import hmac
import json
import re
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, cast

from aiohttp import web
from msgspec import Struct

_CORS = {
    "Access-Control-Allow-Credentials": "true",
    "Access-Control-Allow-Origin": "*",
    "Access-Control-Allow-Methods": "OPTIONS, HEAD, GET, POST, PUT, PATCH, DELETE",
    "Vary": "Origin",
    "Server": "OvenMediaEngine",
}


class ApiError(Exception):
    """An answer that is not a success. `raw` messages are sent as they are, others in OME's usual frame."""

    def __init__(self, status: int, message: str, *, raw: bool = False) -> None:
        super().__init__(message)
        self.status = status
        self.message = message if raw else f"[HTTP] {message} ({status})"


class ConfigError(ApiError):
    """OME's configuration parser refused a value."""

    def __init__(self, message: str) -> None:
        super().__init__(400, f"[Config] {message}", raw=True)


class Call(Struct, frozen=True):
    """One request: path parameters exactly as sent (OME does not percent-decode them) and the raw body."""

    params: tuple[str, ...]
    content: bytes = b""

    @property
    def body(self) -> Any:
        """The JSON of the body, None for an empty one. Raises ApiError 400."""
        if not self.content.strip():
            return None
        try:
            return json.loads(self.content)
        except UnicodeDecodeError as error:
            raise ApiError(400, "Invalid request body") from error
        except json.JSONDecodeError as error:
            expected_name = "property name" in error.msg
            reason = "Missing '}' or object member name" if expected_name else _NO_VALUE
            raise ApiError(400, f"[JSON] * Line {error.lineno}, Column {error.colno}\n  {reason}\n") from error

    @property
    def batch(self) -> list[Any]:
        """The body of a POST that creates vhosts, apps or profiles. Raises ApiError 400."""
        body = self.body
        if not isinstance(body, list):
            raise ApiError(400, "Request body must be an array")
        return cast("list[Any]", body)


_NO_VALUE = "Syntax error: value, object or array expected."


class Reply(Struct, frozen=True):
    """Status and JSON body of an answer."""

    status: int
    body: object


def ok(response: object = None) -> Reply:
    """200 with the envelope; no `response` key when there is nothing to say."""
    return Reply(200, envelope(200, "OK", response))


def created() -> Reply:
    return Reply(201, envelope(201, "Created"))


def many(envelopes: Sequence[dict[str, Any]]) -> Reply:
    """The bare array that batch creation answers with: 207 when the items fared differently."""
    statuses = {item["statusCode"] for item in envelopes} or {200}
    return Reply(statuses.pop() if len(statuses) == 1 else 207, list(envelopes))


def envelope(status: int, message: str, response: object = None) -> dict[str, Any]:
    body: dict[str, Any] = {"statusCode": status, "message": message}
    return body if response is None else {**body, "response": response}


Handler = Callable[[Call], Reply | Awaitable[Reply]]


class Router:
    """Templates such as `/v1/vhosts/{vhost}`; a parameter is anything but a slash, even nothing."""

    def __init__(self) -> None:
        self._routes: dict[str, list[tuple[re.Pattern[str], Handler]]] = {}

    def add(self, method: str, template: str, handler: Handler) -> None:
        pattern = "".join("([^/]*)" if part.startswith("{") else re.escape(part) for part in _split(template))
        self._routes.setdefault(method, []).append((re.compile(pattern), handler))

    def find(self, method: str, path: str) -> tuple[Handler, tuple[str, ...]]:
        """Raises ApiError 404, for a wrong method too."""
        for pattern, handler in self._routes.get("GET" if method == "HEAD" else method, ()):
            found = pattern.fullmatch(path)
            if found:
                return handler, found.groups()
        raise ApiError(404, "Controller not found")


def _split(template: str) -> list[str]:
    return [part for part in re.split(r"(\{\w+\})", template) if part]


def check_credential(header: str | None, access_token: str) -> None:
    """Raises ApiError 401 in the three ways that OME does."""
    if not header:
        raise ApiError(401, "Authorization header is required to call API")
    scheme, _, credential = header.partition(" ")
    if scheme.lower() != "basic":
        raise ApiError(401, f"Not supported credential type: {scheme}")
    expected = base64.b64encode(access_token.encode())
    if not hmac.compare_digest(credential.strip().encode(), expected):
        raise ApiError(401, "Invalid credential")


def preflight() -> web.Response:
    return web.Response(status=204, headers=_CORS, content_type="text/html")


def render(reply: Reply) -> web.Response:
    """The HTTP answer: its status is the one in the envelope."""
    headers = {**_CORS, "Content-Type": "application/json;charset=UTF-8"}
    if reply.status == 401:
        headers["WWW-Authenticate"] = 'Basic realm="OvenMediaEngine"'
    return web.Response(status=reply.status, body=json.dumps(reply.body).encode(), headers=headers)


def refusal(error: ApiError) -> Reply:
    return Reply(error.status, envelope(error.status, error.message))
