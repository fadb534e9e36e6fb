"""Documents of Firestore: how they are named, what was read of one, and what is to be written to one."""

from collections.abc import Mapping
from hashlib import sha256
from typing import Any
from urllib.parse import quote

from google.cloud import firestore_v1
from msgspec import Struct

from streaming_service.errors import InvalidInput

_MAX_NAME_BYTES = 1000  # Firestore allows 1500

Document = tuple[str, ...]
"""Its path: collection, name, collection, name…"""

DESCENDING = "DESCENDING"
# As a field: when it is committed, by Firestore's clock.
AT_COMMIT: Any = firestore_v1.SERVER_TIMESTAMP
NAME = "__name__"


def name_of(text: str) -> str:
    """A document name for any text: Firestore takes no slashes, dots alone, reserved names or long ones.

    UUIDs stay as they are, and so does their order.
    """
    name = quote(text, safe=":", errors="surrogatepass")
    if len(name) > _MAX_NAME_BYTES:
        return f"%h{sha256(name.encode()).hexdigest()}"
    return f"%{name}" if name in {"", ".", ".."} or name.startswith("__") else name


class Record(Struct, frozen=True):
    """A document as it was read; `updated_at`, when it was written last, tells a write whether it is so still."""

    document: Document
    fields: Mapping[str, Any]
    updated_at: Any

    @classmethod
    def of(cls, snapshot: Any) -> "Record":
        """Of what Google's client answers."""
        return cls(tuple(snapshot.reference.path.split("/")), snapshot.to_dict(), snapshot.update_time)

    def get(self, field: str) -> Any:
        """None when the document has no such field."""
        return self.fields.get(field)


class Create(Struct, frozen=True):
    """Expects that it is not there."""

    document: Document
    fields: Mapping[str, Any]

    def put_into(self, batch: Any, reference: Any) -> None:
        batch.create(reference, _present(self.fields))


class Put(Struct, frozen=True):
    """Whatever was there."""

    document: Document
    fields: Mapping[str, Any]

    def put_into(self, batch: Any, reference: Any) -> None:
        batch.set(reference, _present(self.fields))


class Update(Struct, frozen=True):
    """These fields only; None removes one. Expects that it was not written since it was read."""

    document: Document
    fields: Mapping[str, Any]
    read_at: Any

    def put_into(self, batch: Any, reference: Any) -> None:
        gone: Any = firestore_v1.DELETE_FIELD
        fields = {name: gone if value is None else value for name, value in self.fields.items()}
        batch.update(reference, fields, option=firestore_v1.LastUpdateOption(self.read_at))


class Delete(Struct, frozen=True):
    """Expects that it was not written since it was read, when `read_at` is given."""

    document: Document
    read_at: Any = None

    def put_into(self, batch: Any, reference: Any) -> None:
        batch.delete(reference, option=firestore_v1.LastUpdateOption(self.read_at) if self.read_at else None)


# One document's part in a commit.
Write = Create | Put | Update | Delete


def update(record: Record, **fields: Any) -> Update:
    """Change these fields of what was read."""
    return Update(record.document, fields, record.updated_at)


def write(document: Document, record: Record | None, fields: Mapping[str, Any]) -> Write:
    """Make a document, or change these fields of the one that was read."""
    return Create(document, fields) if record is None else Update(document, fields, record.updated_at)


def where(query: Any, field: str, operator: str, value: Any) -> Any:
    """A query with one more condition. Raises InvalidInput for a lone surrogate."""
    try:
        return query.where(filter=firestore_v1.FieldFilter(field, operator, value))
    except UnicodeEncodeError as error:
        raise InvalidInput(field, "holds characters that cannot be stored") from error


def _present(fields: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in fields.items() if value is not None}
