"""Alembic's way in; the connection and who wants to hear of progress come from `migrate.py`."""

import time
from typing import Any

from alembic import context

from streaming_service.adapters.store.migrations.progress import Progress
from streaming_service.adapters.store.tables import metadata

_progress: Progress | None = context.config.attributes.get("progress")
_began = [time.monotonic()]


def _tell(ctx: Any, step: Any, heads: Any, run_args: Any) -> None:  # noqa: ARG001 - Alembic passes them by name
    now = time.monotonic()
    if _progress:
        _progress.step(step.up_revision_id, step.up_revision.doc, now - _began[0])
    _began[0] = now


context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=metadata,
    transactional_ddl=True,
    on_version_apply=_tell,
)
context.run_migrations()
