"""Named leases and idempotency keys in SQL: whoever comes first has it until it runs out."""

from datetime import datetime, timedelta

from sqlalchemy import Connection, bindparam, delete, select, text

from streaming_service.adapters.store.codec import to_micros
from streaming_service.adapters.store.tables import idempotency_keys

_FORGOTTEN_AT_ONCE = 100

_ACQUIRE = text(
    "INSERT INTO leases (name, owner, expires_at) VALUES (:name, :owner, :until)"
    " ON CONFLICT (name) DO UPDATE SET owner = excluded.owner, expires_at = excluded.expires_at"
    " WHERE leases.owner = excluded.owner OR leases.expires_at <= :now"
)
_FIRST = text(
    "INSERT INTO idempotency_keys (key, fingerprint, expires_at) VALUES (:key, :fingerprint, :until)"
    " ON CONFLICT (key) DO UPDATE SET fingerprint = excluded.fingerprint, expires_at = excluded.expires_at"
    " WHERE idempotency_keys.expires_at <= :now"
)
_SEEN = text("SELECT fingerprint FROM idempotency_keys WHERE key = :key")
_k = idempotency_keys.c
_EXPIRED = (
    select(_k.key)
    .where(_k.expires_at <= bindparam("now"), _k.key != bindparam("mine"))
    .limit(_FORGOTTEN_AT_ONCE)
    .with_for_update(skip_locked=True)
)
_FORGET = delete(idempotency_keys).where(_k.key.in_(_EXPIRED.cte("expired").select()))


def acquire(connection: Connection, name: str, owner: str, now: datetime, ttl: timedelta) -> bool:
    values = {"name": name, "owner": owner, "now": to_micros(now), "until": to_micros(now + ttl)}
    return connection.execute(_ACQUIRE, values).rowcount == 1


def remember(connection: Connection, key: str, fingerprint: str, now: datetime, keep: timedelta) -> str:
    values = {"key": key, "fingerprint": fingerprint, "now": to_micros(now), "until": to_micros(now + keep)}
    connection.execute(_FIRST, values)
    connection.execute(_FORGET, {"now": values["now"], "mine": key})
    return connection.execute(_SEEN, values).scalar_one()
