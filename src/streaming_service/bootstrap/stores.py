"""The configured store, opened, and its schema in place."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

from streaming_service.application.ports import Store
from streaming_service.settings import Settings, revealed


@asynccontextmanager
async def open_store(settings: Settings) -> AsyncGenerator[Store]:
    """The configured store with its schema in place. Raises ConfigurationError or StoreUnavailable."""
    if settings.channel_repository_backend == "memory":
        from streaming_service.adapters.store.memory import MemoryStore

        yield MemoryStore()
        return
    if settings.channel_repository_backend == "firestore":
        async with _open_firestore(settings) as store:
            yield store
        return
    from streaming_service.adapters.store.sql import SqlStore

    dsn = store_dsn(settings)
    store = await SqlStore.open(dsn)
    try:
        if settings.app_env != "production":
            await asyncio.to_thread(_migrate_if_needed, dsn)
        await store.require_schema()
        yield store
    finally:
        await store.close()


@asynccontextmanager
async def _open_firestore(settings: Settings) -> AsyncGenerator[Store]:
    from streaming_service.adapters.store.firestore.database import FirestoreDatabase
    from streaming_service.adapters.store.firestore.store import FirestoreStore

    store = FirestoreStore(FirestoreDatabase(settings.firestore_project_id or "", settings.firestore_database))
    try:
        await store.require_indexes()
        yield store
    finally:
        await store.close()


def _migrate_if_needed(dsn: str) -> None:
    """In production a person or a pipeline does this, with `streaming-service db migrate`."""
    from streaming_service.adapters.store import migrate, schema

    if migrate.current(dsn) != schema.HEAD:
        migrate.upgrade(dsn)


def store_dsn(settings: Settings) -> str:
    """The database's address: a URL for Postgres, a path for sqlite."""
    if settings.channel_repository_backend == "postgres":
        return revealed(settings.postgres_dsn)
    return str(settings.sqlite_path.absolute())
