"""Named leases, idempotency keys and marks in Firestore.

Whoever comes first has a lease or a key until it runs out. Keys that ran out are removed by Firestore itself, by the
time-to-live policy on `expires_at`.
"""

from datetime import datetime, timedelta

from streaming_service.adapters.store.firestore.database import FirestoreDatabase
from streaming_service.adapters.store.firestore.documents import Record, Write, name_of, write

_LEASES, _KEYS = "leases", "idempotency_keys"
FIRST_INCARNATION = ("marks", "first-incarnation")


async def acquire(database: FirestoreDatabase, name: str, owner: str, now: datetime, ttl: timedelta) -> bool:
    document = (_LEASES, name_of(name))

    def taken(record: Record | None) -> tuple[Write | None, bool]:
        if record and record.fields["owner"] != owner and record.fields["expires_at"] > now:
            return None, False
        return write(document, record, {"owner": owner, "expires_at": now + ttl}), True

    return await database.revise(document, taken)


async def remember(database: FirestoreDatabase, key: str, fingerprint: str, now: datetime, keep: timedelta) -> str:
    document = (_KEYS, name_of(key))

    def first(record: Record | None) -> tuple[Write | None, str]:
        if record and record.fields["expires_at"] > now:
            return None, record.fields["fingerprint"]
        return write(document, record, {"fingerprint": fingerprint, "expires_at": now + keep}), fingerprint

    return await database.revise(document, first)


async def first_incarnation(database: FirestoreDatabase) -> int:
    found = await database.get(FIRST_INCARNATION)
    return found.fields["value"] if found else 0


async def raise_first_incarnation(database: FirestoreDatabase, number: int) -> None:
    def raised(record: Record | None) -> tuple[Write | None, None]:
        # It never goes down: names that were given once must not be given again.
        if record and record.fields["value"] >= number:
            return None, None
        return write(FIRST_INCARNATION, record, {"value": number}), None

    await database.revise(FIRST_INCARNATION, raised)
