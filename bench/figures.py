"""One line a figure: `figure <name> <value> target <target> met|missed`."""

import os
import statistics
import subprocess
import sys
from collections.abc import Sequence
from typing import NamedTuple


class Figure(NamedTuple):
    """`at_least`: bigger is better. Ratios and seconds alike; the name says which."""

    name: str
    value: float
    target: float
    at_least: bool

    @property
    def met(self) -> bool:
        return self.value >= self.target if self.at_least else self.value <= self.target

    def __str__(self) -> str:
        sign = ">=" if self.at_least else "<="
        return f"figure {self.name} {self.value:.3f} target {sign}{self.target:g} {'met' if self.met else 'missed'}"


def report(figures: Sequence[Figure]) -> None:
    for figure in figures:
        print(figure, flush=True)


def note(text: str) -> None:
    """Something a reader of the record wants to know, which is no figure."""
    print(f"  {text}", flush=True)


def median(values: Sequence[float]) -> float:
    return statistics.median(values)


def spawn(
    module: str, *arguments: str, core: int | None = None, env: dict[str, str] | None = None
) -> subprocess.Popen[str]:
    """A Python process of ours whose standard output we read; pinned to a core where there is more than one."""
    return start([sys.executable, "-m", module, *arguments], core=core, env=env)


def start(command: list[str], *, core: int | None = None, env: dict[str, str] | None = None) -> subprocess.Popen[str]:
    """The same with any command."""
    if core is not None and (os.cpu_count() or 1) > 1:
        command = ["taskset", "-c", str(core), *command]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env={**os.environ, **(env or {})})


def first_line(process: subprocess.Popen[str]) -> str:
    """What the process prints when it is ready. Raises RuntimeError when it ends instead."""
    line = process.stdout.readline().strip() if process.stdout else ""
    if not line:
        raise RuntimeError(f"{process.args} ended with {process.wait()} before it was ready")
    return line


def stop(process: subprocess.Popen[str]) -> None:
    process.terminate()
    try:
        process.wait(timeout=15)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
    if process.stdout:
        process.stdout.close()
