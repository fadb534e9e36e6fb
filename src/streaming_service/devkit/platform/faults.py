"""Failures on demand."""

from msgspec import Struct


class Fault(Struct):
    """What a path does instead of answering. `status` None: it drops the connection. `left` None: until healed."""

    status: int | None
    left: int | None
    headers: dict[str, str]


class Faults:
    """The failures that are switched on, by path prefix."""

    def __init__(self) -> None:
        self._faults: dict[str, Fault] = {}

    def set(self, path: str, fault: Fault) -> None:
        """Switch one on, in place of an earlier one for the same path."""
        self._faults[path] = fault

    def clear(self, path: str | None) -> None:
        """Switch the path's off, or all."""
        if path is None:
            self._faults.clear()
        else:
            self._faults.pop(path, None)

    def take(self, path: str) -> Fault | None:
        """The failure that the next request to this path meets; the longest prefix wins."""
        for prefix in sorted(self._faults, key=len, reverse=True):
            if path == prefix or path.startswith(prefix.rstrip("/") + "/"):
                return self._use(prefix)
        return None

    def _use(self, prefix: str) -> Fault:
        fault = self._faults[prefix]
        if fault.left is not None:
            fault.left -= 1
            if fault.left <= 0:
                del self._faults[prefix]
        return fault
