"""All routes together."""

from collections.abc import Sequence

from litestar import Litestar, Router
from litestar.di import Provide
from litestar.types import ControllerRouterHandler

from streaming_service.entrypoints.http.auth import metrics_guard, service_guard
from streaming_service.entrypoints.http.context import AgentContext, ApiContext, ProcessContext
from streaming_service.entrypoints.http.dead_letters import dead_letters_router
from streaming_service.entrypoints.http.deliveries import deliveries_router
from streaming_service.entrypoints.http.door import Door
from streaming_service.entrypoints.http.failover import failover_router
from streaming_service.entrypoints.http.failures import answer_problem
from streaming_service.entrypoints.http.health import health_router
from streaming_service.entrypoints.http.hooks import hooks_router
from streaming_service.entrypoints.http.internal import internal_router, push_router
from streaming_service.entrypoints.http.manifest import ManifestRoute
from streaming_service.entrypoints.http.metrics import metrics
from streaming_service.entrypoints.http.openapi import docs_router
from streaming_service.entrypoints.http.origins import origins_router
from streaming_service.entrypoints.http.probe_agent import LARGEST_QUESTION, agent_router
from streaming_service.entrypoints.http.probes import probes_router
from streaming_service.entrypoints.http.push_auth import push_guard
from streaming_service.entrypoints.http.streams import streams_router
from streaming_service.entrypoints.http.tracing import TracedDoor


def build_app(api: ApiContext) -> TracedDoor:
    """The API, ready for HttpServer or any ASGI server; needs no lifespan."""
    door = Door(build_rest(api), ManifestRoute(api.playback, api.metrics.manifest, api.clients))
    return TracedDoor(door, api.tracer, share=api.traced_share)


def build_process_app(process: ProcessContext) -> Door:
    """What a process without the API tells about itself: health and metrics."""
    return Door(_litestar([health_router, _scraped(process)], process, body_limit=0))


def build_agent_app(agent: AgentContext) -> TracedDoor:
    """What a probe agent answers: questions of the service, and what a process tells about itself."""
    routes = [health_router, _scraped(agent), agent_router]
    return TracedDoor(Door(_litestar(routes, agent, body_limit=LARGEST_QUESTION)), agent.tracer)


def build_rest(api: ApiContext) -> Litestar:
    """Every route but the manifest's."""

    routes = _routes(api)
    described = [docs_router(routes, api.version)] if api.openapi else []
    return _litestar([*routes, *described], api, body_limit=api.body_limit)


def _litestar(routes: Sequence[ControllerRouterHandler], context: ProcessContext, *, body_limit: int) -> Litestar:
    async def provide_api() -> ProcessContext:
        return context

    return Litestar(
        routes,
        dependencies={"api": Provide(provide_api)},
        exception_handlers={Exception: answer_problem},
        request_max_body_size=body_limit,
        openapi_config=None,
        logging_config=None,
        debug=False,
    )


def _routes(api: ApiContext) -> list[ControllerRouterHandler]:
    guarded = Router(
        "/",
        route_handlers=[
            streams_router,
            dead_letters_router,
            deliveries_router,
            origins_router,
            failover_router,
            internal_router,
            probes_router,
        ],
        guards=[service_guard(api.service_tokens, api.clients)],
        security=[{"serviceToken": []}, {"serviceTokenHeader": []}],
    )
    pushed = Router(
        "/",
        route_handlers=[push_router],
        guards=[push_guard(api.service_tokens, api.push_tokens, api.clients)],
        security=[{"googlePush": []}, {"serviceToken": []}, {"serviceTokenHeader": []}],
    )
    return [health_router, guarded, pushed, _scraped(api), *([hooks_router] if api.hooks else [])]


def _scraped(process: ProcessContext) -> Router:
    return Router(
        "/",
        route_handlers=[metrics],
        guards=[metrics_guard(process.metrics_token, process.clients)],
        security=[{"metricsToken": []}],
    )
