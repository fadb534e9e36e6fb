"""The fleet: where its origins are written down, and how each is reached."""

from collections.abc import Callable

from streaming_service.adapters.http import Caller, Transport
from streaming_service.adapters.ome import NullOme, OmeClient, OmeOrigin
from streaming_service.adapters.ome import null as dry_run
from streaming_service.adapters.ome.dumping import OmeRecorder
from streaming_service.adapters.ome.fleet import OmeConnections, OmeFleet
from streaming_service.adapters.ome.watching import OmeWatcher
from streaming_service.adapters.pools.static import DEFAULT_ORIGIN, StaticTopology, dns_host, pool_name, static_topology
from streaming_service.application.fleet_watch import FleetWatch
from streaming_service.application.ports import Clock, Store
from streaming_service.application.topology_watch import TopologySource, TopologyWatch
from streaming_service.bootstrap.plans import ladders_by_application, publishing
from streaming_service.domain.content import Classification
from streaming_service.domain.fleet.topology import OriginSpec, Topology
from streaming_service.domain.wish import SpecPolicy
from streaming_service.errors import InvalidInput
from streaming_service.settings import Settings, revealed

# (name, transport, tolerated statuses, attempts) → a caller with a circuit breaker of its own.
MakeCaller = Callable[[str, Transport | None, frozenset[int]], Caller]

# OME answers 500 to a DELETE that comes while an earlier one is under way, and to dumps that it refuses: no illness.
_TOLERATED = frozenset({500})
_DRY_RUN_CAPACITY = 10_000


def wire_fleet(settings: Settings, specs: SpecPolicy, store: Store, clock: Clock, make_caller: MakeCaller) -> OmeFleet:
    """Nothing is asked yet: the first refresh does that."""
    variables = {
        Classification.REEL: ("OME_REELS_INGEST_POOL", settings.ome_reels_ingest_pool),
        Classification.SERIES: ("OME_SERIES_INGEST_POOL", settings.ome_series_ingest_pool),
    }
    pools = {item: pool_name(*variable) for item, variable in variables.items()}
    applications: dict[str, set[str]] = {}
    for item, pool in pools.items():
        applications.setdefault(pool, set()).add(specs.applications[item])
    connections = OmeConnections(_Connecting(settings, specs, clock, make_caller))
    watch = FleetWatch(
        topology=TopologyWatch(topology_source(settings, clock)),
        connect=connections,
        drains=store,
        clock=clock,
        applications=applications,
        default_capacity=_DRY_RUN_CAPACITY if settings.dry_run_provisioning else settings.ome_origin_capacity,
        timeout=2 * settings.ome_timeout_ms / 1000,
    )
    return OmeFleet(
        watch,
        connections,
        pools=pools,
        egress={
            Classification.REEL: pool_name("OME_REELS_EGRESS_POOL", settings.ome_reels_egress_pool),
            Classification.SERIES: pool_name("OME_SERIES_EGRESS_POOL", settings.ome_series_egress_pool),
        },
        playback_url=settings.ome_playback_base_url or dry_run.PLAYBACK_URL,
        interval=settings.origin_poll_seconds,
    )


def topology_source(settings: Settings, clock: Clock) -> TopologySource:
    """Where the pools are written down. Raises InvalidInput naming the variable that is wrong."""
    ingest = {
        "OME_REELS_INGEST_POOL": settings.ome_reels_ingest_pool,
        "OME_SERIES_INGEST_POOL": settings.ome_series_ingest_pool,
    }
    egress = {
        "OME_REELS_EGRESS_POOL": settings.ome_reels_egress_pool,
        "OME_SERIES_EGRESS_POOL": settings.ome_series_egress_pool,
    }
    if settings.ome_pools_file:
        from streaming_service.adapters.pools.file import FileTopology

        return FileTopology(settings.ome_pools_file)
    hosts = {variable: dns_host(value) for variable, value in ingest.items()}
    if any(hosts.values()):
        return _dns_source(settings, clock, hosts, egress)
    api, playback = settings.ome_api_base_url, settings.ome_playback_base_url
    if settings.dry_run_provisioning:
        api, playback = dry_run.API_URL, dry_run.PLAYBACK_URL
    if api is None and settings.names_origin:
        return StaticTopology(Topology())  # an API process that is not told of OME
    return StaticTopology(static_topology(ingest, egress, api_url=api, playback_url=playback))


def _dns_source(
    settings: Settings, clock: Clock, hosts: dict[str, str | None], egress: dict[str, str]
) -> TopologySource:
    from streaming_service.adapters.pools.dns import DnsTopology
    from streaming_service.adapters.pools.resolver import DnsResolver

    for variable, host in hosts.items():
        if host is None:
            raise InvalidInput(variable, "must be dns:HOST, too: pools from DNS and others cannot be mixed")
    urls = {pool_name(variable, value): value for variable, value in egress.items() if "://" in value}
    if base := settings.ome_playback_base_url:
        urls = {pool_name(variable, value): base for variable, value in egress.items()} | urls
    return DnsTopology(
        {pool_name(variable, f"dns:{host}"): host for variable, host in hosts.items() if host},
        DnsResolver(),
        clock,
        api_url=settings.ome_api_base_url or "http://ome:8081",
        egress=urls,
    )


class _Connecting:
    """Makes the Origin of a spec, with circuit breakers of its own: one that is down must not take the others along."""

    def __init__(self, settings: Settings, specs: SpecPolicy, clock: Clock, make_caller: MakeCaller) -> None:
        self._settings = settings
        self._clock = clock
        self._make_caller = make_caller
        # One for all, because it remembers what it was told.
        self._transport = NullOme(dict(ladders_by_application(specs))) if settings.dry_run_provisioning else None

    def __call__(self, spec: OriginSpec) -> OmeOrigin:
        settings, clock = self._settings, self._clock
        suffix = "" if spec.name == DEFAULT_ORIGIN else f"/{spec.name}"
        timeout = settings.ome_timeout_ms / 1000
        client = OmeClient(
            self._make_caller(f"ome{suffix}", self._transport, _TOLERATED),
            spec.api_url,
            access_token=f"{revealed(settings.ome_api_key)}:{revealed(settings.ome_api_secret)}",
            vhost=settings.ome_vhost,
            timeout=timeout,
        )
        watcher = OmeWatcher(
            client,
            self._make_caller(f"ome-playback{suffix}", self._transport, frozenset()),
            spec.playback_url or settings.ome_playback_base_url or "",
            playlist=settings.ome_playlist,
            timeout=timeout,
            fitted=bool(revealed(settings.ome_webhook_secret)) and not settings.dry_run_provisioning,
        )
        recorder = None
        if publishing(settings):
            mount = settings.ome_manifest_mount or ""
            recorder = OmeRecorder(client, mount, playlist=settings.ome_playlist, sleep=clock.sleep)
        return OmeOrigin(spec.name, client, watcher, recorder, vhost=settings.ome_vhost, sleep=clock.sleep)
