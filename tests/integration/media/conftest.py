"""Real films made by ffmpeg, and the Cloud Storage emulator."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, cast

import pytest

from streaming_service.devkit.emulators import CloudStorageEmulator, ComponentMissing
from tests.conftest import require_component

Upload = Callable[[str, bytes], str]


@pytest.fixture(scope="session")
def films(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder for films, kept for the session: making them takes longer than looking at them."""
    return tmp_path_factory.mktemp("films")


@pytest.fixture(scope="session")
def shared_storage() -> Iterator[CloudStorageEmulator]:
    emulator = CloudStorageEmulator()
    try:
        emulator.start()
    except ComponentMissing as error:
        require_component(False, emulator.name, str(error))
    yield emulator
    emulator.stop()


@pytest.fixture
def upload(shared_storage: CloudStorageEmulator, monkeypatch: pytest.MonkeyPatch) -> Iterator[Upload]:
    """Puts bytes into the emulator's bucket `uploads`; Google's clients of this test talk to the emulator."""
    for name, value in shared_storage.environment.items():
        monkeypatch.setenv(name, value)
    from google.cloud import storage

    client = cast("Any", storage).Client(project="test")
    if client.lookup_bucket("uploads") is None:
        client.create_bucket("uploads")

    def put(key: str, data: bytes) -> str:
        client.bucket("uploads").blob(key).upload_from_string(data, content_type="video/mp4")
        return f"gs://uploads/{key}"

    yield put
    client.close()
