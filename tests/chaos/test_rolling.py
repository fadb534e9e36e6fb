"""The quick form of the exchange of every process. The whole of it is `make rolling`."""

from pathlib import Path

import pytest

from chaos import rolling

pytestmark = [pytest.mark.anyio, pytest.mark.postgres]


async def test_every_process_is_exchanged_and_nobody_outside_notices(tmp_path: Path) -> None:
    figures = await rolling.measure(tmp_path, rounds=1)

    assert [str(figure) for figure in figures if not figure.met] == []
