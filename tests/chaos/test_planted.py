"""The quick form of the search for planted secrets. The whole of it is `make planted`."""

from pathlib import Path

import pytest

from chaos import planted
from streaming_service.devkit.faults import Mode

pytestmark = [pytest.mark.anyio, pytest.mark.postgres]


async def test_no_secret_is_told(tmp_path: Path) -> None:
    figures = await planted.measure(tmp_path, (Mode.GARBAGE,))

    assert [str(figure) for figure in figures if not figure.met] == []


def test_a_secret_that_is_told_is_found() -> None:
    search = planted.Search(planted.planted())
    for text in ("x planted-ome-secret y", "Basic cGxhbnRlZC1vbWUta2V5OnBsYW50ZWQtb21lLXNlY3JldA=="):
        search.look("a page", text)

    assert search.found == {"OME_API_SECRET in a page", "OME's Basic header in a page"}
