"""What the documents show is what happens."""

import asyncio
import re
import sys
from pathlib import Path

import pytest

from tests.acceptance.harness import _clean_environment

pytestmark = pytest.mark.anyio

ROOT = Path(__file__).resolve().parents[2]
_FENCE = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


async def test_the_workers_example_prints_what_its_page_says(tmp_path: Path) -> None:
    page = (ROOT / "docs/phase-1/worker.md").read_text()
    fences = [(found[1], found[2]) for found in _FENCE.finditer(page)]
    position = next(number for number, (kind, _) in enumerate(fences) if kind == "python")
    example, shown = fences[position][1], fences[position + 1][1]
    (tmp_path / "example.py").write_text(example)
    child = await asyncio.create_subprocess_exec(
        sys.executable,
        "example.py",
        cwd=tmp_path,
        env=_clean_environment(),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.DEVNULL,
    )
    printed, _ = await child.communicate()

    lines = [line for line in printed.decode().splitlines() if not line.startswith("20")]
    assert child.returncode == 0
    for line, wanted in zip(lines, shown.splitlines(), strict=True):
        parts = [re.escape(part) for part in wanted.split("…")]
        assert re.fullmatch(".*".join(parts), line), f"{line!r} is not {wanted!r}"
