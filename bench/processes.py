"""What processes have used, as the kernel counts it."""

import os
from pathlib import Path

_TICKS = os.sysconf("SC_CLK_TCK")
_PAGE = os.sysconf("SC_PAGE_SIZE")


def cpu_seconds(*pids: int) -> float:
    """User and system time of these processes and of what they started and waited for."""
    total = 0
    for pid in pids:
        user, system, of_children, system_of_children = _stat(pid)[11:15]
        total += int(user) + int(system) + int(of_children) + int(system_of_children)
    return total / _TICKS


def resident_mb(pid: int) -> float:
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * _PAGE / 1e6


def children(pid: int) -> list[int]:
    """All below this process."""
    below: list[int] = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit() and (entry / "stat").exists() and int(_stat(int(entry.name))[1]) == pid:
            below += [int(entry.name), *children(int(entry.name))]
    return below


def _stat(pid: int) -> list[str]:
    """Fields from the state on: the name before them may hold anything."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:  # it has ended meanwhile
        return ["0"] * 20
