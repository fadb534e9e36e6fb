"""What a migration says while it goes on, to whoever runs it."""

from typing import Protocol

from alembic import context


class Progress(Protocol):
    """Hears of a migration as it goes on."""

    def step(self, revision: str, title: str, seconds: float) -> None:
        """A step was made; all of them count once the last one was."""
        ...

    def rows(self, done: int, total: int) -> None:
        """So many rows of the step at hand were converted."""
        ...


def tell_rows(done: int, total: int) -> None:
    """For a step that converts rows."""
    progress: Progress | None = context.config.attributes.get("progress")
    if progress:
        progress.rows(done, total)
