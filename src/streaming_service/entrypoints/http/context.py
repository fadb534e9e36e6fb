"""What the routes work with; `bootstrap` makes one."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

from streaming_service.adapters.probing.agent import ProbeAgent
from streaming_service.application.administration import Administration
from streaming_service.application.failover_operations import FailoverOperations
from streaming_service.application.ingest import Ingest
from streaming_service.application.intake import Intake
from streaming_service.application.ome_hooks import OmeHooks
from streaming_service.application.origins import OriginOperations
from streaming_service.application.playback import Playback
from streaming_service.application.ports import Ack, Message
from streaming_service.application.probing import Probing
from streaming_service.entrypoints.http.clients import Clients, nobody_guesses
from streaming_service.entrypoints.http.push_auth import PushTokens
from streaming_service.entrypoints.http.views import ChannelViews
from streaming_service.telemetry import Metrics
from streaming_service.tracing import NO_TRACER, Tracer


def _nobody_minds() -> None:
    """Metrics that are simply there."""


@dataclass(frozen=True)
class ProcessContext:
    """What a process tells about itself.

    Without `metrics_token` everybody may scrape: in development only. `check_ready` raises a StreamingServiceError
    while this process should get no traffic. `scraped` hears that somebody asks for metrics, and returns at once.
    `clients` counts who guesses. Requests are spans of `tracer`.
    """

    metrics: Metrics
    metrics_token: str | None = field(repr=False)
    check_ready: Callable[[], Awaitable[None]]
    version: str
    scraped: Callable[[], None] = field(default=_nobody_minds, kw_only=True)
    clients: Clients = field(default_factory=nobody_guesses, kw_only=True)
    tracer: Tracer = field(default=NO_TRACER, kw_only=True)


@dataclass(frozen=True)
class AgentContext(ProcessContext):
    """A probe agent."""

    agent: ProbeAgent


@dataclass(frozen=True)
class ApiContext(ProcessContext):
    """Use cases and configuration of the API.

    `publish` takes the messages that Pub/Sub pushes to us. Without `service_tokens` everybody is a service: in
    development only. `body_limit` is in bytes. Without `hooks` OME's webhooks are not answered, and
    without `push_tokens` Google's tokens are none. `traced_share` is the part of the manifest requests answered from
    memory that may begin a trace.
    """

    playback: Playback
    administration: Administration
    origins: OriginOperations
    probing: Probing
    failover: FailoverOperations
    intake: Intake
    ingest: Ingest
    publish: Callable[[Message], Awaitable[Ack]]
    views: ChannelViews
    service_tokens: tuple[str, ...] = field(repr=False)
    body_limit: int
    openapi: bool
    hooks: OmeHooks | None = None
    push_tokens: PushTokens | None = None
    traced_share: float = 0.0
