"""Alembic's way in; the connection and who wants to hear of progress come from `migrate.py`."""

from collections.abc import Callable
from typing import Any

from alembic import context

from streaming_service.adapters.store.tables import metadata

_progress: Callable[[str], None] | None = context.config.attributes.get("progress")


def _tell(ctx: Any, step: Any, heads: Any, run_args: Any) -> None:  # noqa: ARG001 - Alembic passes them by name
    if _progress:
        _progress(f"{step.up_revision_id} {step.up_revision.doc}")


context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=metadata,
    transactional_ddl=True,
    on_version_apply=_tell,
)
context.run_migrations()
