"""Where viewers are sent, in Firestore."""

from collections.abc import Sequence
from datetime import datetime

from msgspec.structs import replace

from streaming_service.adapters.store.codec import decode_standing, encode, to_micros
from streaming_service.adapters.store.firestore.database import TRIES, FirestoreDatabase
from streaming_service.adapters.store.firestore.documents import Document, Record, name_of, where, write
from streaming_service.adapters.store.firestore.outbox import debts, still_new, unique
from streaming_service.adapters.store.firestore.sequences import Sequences
from streaming_service.domain.failover import Standing
from streaming_service.domain.notification import Notification
from streaming_service.errors import Conflict

_FAILOVERS = "failovers"


async def get(database: FirestoreDatabase, subject: str) -> Standing | None:
    found = await database.get(_document(subject))
    return None if found is None else _standing(found)


async def known(database: FirestoreDatabase, changed_since: datetime | None) -> tuple[Standing, ...]:
    everything = database.collection(_FAILOVERS)
    if changed_since is None:
        query = where(everything, "active", "==", True)
    else:
        query = where(everything, "changed_at", ">=", to_micros(changed_since))
    return tuple(sorted(map(_standing, await database.find(query)), key=lambda item: item.subject))


async def commit(
    database: FirestoreDatabase, sequences: Sequences, standing: Standing, notifications: Sequence[Notification]
) -> Standing:
    """One batch. Which of its expectations was wrong is told by reading, and only then."""
    document, written = _document(standing.subject), replace(standing, version=standing.version + 1)
    fields = {
        "version": written.version,
        "active": written.active,
        "changed_at": to_micros(written.changed_at),
        "document": encode(written),
    }
    owed = unique(notifications)
    for number in range(TRIES):
        before = await database.get(document)
        if standing.version != (before.fields["version"] if before else 0):
            break
        if number:
            owed = await still_new(database, owed)
        if await database.commit(write(document, before, fields), *debts(owed, sequences.take(len(owed)))):
            return written
    raise Conflict(f"the failover of {standing.subject} is no longer at version {standing.version}")


def _document(subject: str) -> Document:
    return _FAILOVERS, name_of(subject)


def _standing(record: Record) -> Standing:
    return decode_standing(record.fields["document"])
