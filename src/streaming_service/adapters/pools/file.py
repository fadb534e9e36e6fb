"""Pools in a file, JSON or TOML. A change takes effect without a restart."""

import asyncio
import os
from pathlib import Path
from typing import BinaryIO

from streaming_service.domain.fleet.pools_file import parse_topology
from streaming_service.domain.fleet.topology import Topology
from streaming_service.errors import InvalidInput

_MAX_BYTES = 4 * 1024 * 1024

# What tells one version of a file from another: device, inode, size and modification time. Kubernetes swaps a mounted
# ConfigMap by a symbolic link, which shows in the inode.
_Stamp = tuple[int, int, int, int]


class FileTopology:
    """A TopologySource that looks at the file each time and parses it when it is another one.

    A file that differs from the last look is taken at the next one, once it rests: half a TOML file is often a whole
    one to the parser. Only the first read takes what is there. Until then the answer is the one before, good or bad.
    """

    def __init__(self, path: Path, field: str = "OME_POOLS_FILE") -> None:
        self._path = path
        self._field = field
        self._seen: _Stamp | None = None
        self._taken: _Stamp | None = None
        self._answer: Topology | InvalidInput | None = None

    async def read(self) -> Topology:
        """Raises InvalidInput when the file cannot be read or is wrong."""
        answer = await asyncio.to_thread(self._look)
        if isinstance(answer, InvalidInput):
            raise InvalidInput(self._field, answer.reason)
        return answer

    def _look(self) -> Topology | InvalidInput:
        try:
            with self._path.open("rb") as file:
                stamp = _stamp(file)
                rests, self._seen = stamp == self._seen, stamp
                if self._answer is not None and (stamp == self._taken or not rests):
                    return self._answer
                data = file.read(_MAX_BYTES + 1)
                if self._answer is not None and _stamp(file) != stamp:
                    return self._answer
        except OSError as error:
            self._seen = self._taken = None
            data, stamp = error, None
        self._answer, self._taken = self._understand(data), stamp
        return self._answer

    def _understand(self, data: bytes | OSError) -> Topology | InvalidInput:
        if isinstance(data, OSError):
            return InvalidInput(self._field, f"{self._path} cannot be read: {data.strerror}")
        if len(data) > _MAX_BYTES:
            return InvalidInput(self._field, f"{self._path} is larger than {_MAX_BYTES} bytes: it is no pools file")
        try:
            return parse_topology(data, self._field)
        except InvalidInput as error:
            return error


def _stamp(file: BinaryIO) -> _Stamp:
    state = os.fstat(file.fileno())
    return (state.st_dev, state.st_ino, state.st_size, state.st_mtime_ns)
