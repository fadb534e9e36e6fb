"""The one place where things are wired: settings in, a working service out."""

from streaming_service.bootstrap.administration import open_administration
from streaming_service.bootstrap.clock import open_clock
from streaming_service.bootstrap.failover import open_failover
from streaming_service.bootstrap.ingest import open_ingest_keys
from streaming_service.bootstrap.origins import open_origins
from streaming_service.bootstrap.plans import notifier_of, spec_policy
from streaming_service.bootstrap.probing import AgentProcess, open_probe_agent
from streaming_service.bootstrap.service import Service
from streaming_service.bootstrap.signing import open_signer
from streaming_service.bootstrap.stores import open_store, store_dsn
from streaming_service.bootstrap.wiring import open_service, wire

__all__ = [
    "AgentProcess",
    "Service",
    "notifier_of",
    "open_administration",
    "open_clock",
    "open_failover",
    "open_ingest_keys",
    "open_origins",
    "open_probe_agent",
    "open_service",
    "open_signer",
    "open_store",
    "spec_policy",
    "store_dsn",
    "wire",
]
