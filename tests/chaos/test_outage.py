"""The quick form of the outage. The whole of it is `make outage`."""

from pathlib import Path

import pytest

from chaos import outage

pytestmark = [pytest.mark.anyio, pytest.mark.postgres]

# How long things took says something about this machine, and decides no test.
TIMED = {"outage_longest_manifest_seconds", "outage_new_upload_playable_seconds", "sigterm_exit_seconds"}


async def test_viewers_go_on_without_the_store_and_a_stop_drops_nobody(tmp_path: Path) -> None:
    figures = await outage.measure(tmp_path, 2)
    counted = [figure for figure in figures if figure.name not in TIMED]
    assert len(counted) == len(figures) - len(TIMED)
    assert [str(figure) for figure in counted if not figure.met] == []
