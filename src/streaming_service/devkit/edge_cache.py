"""The edge's cache: small, in memory, and emptied by path."""

import re
from collections import OrderedDict

from msgspec import Struct


class CachedAnswer(Struct, frozen=True):
    """A whole 200 answer of the upstream. `until` is Unix seconds."""

    path: str
    body: bytes
    headers: dict[str, str]
    until: float


class EdgeCache:
    """Answers by path and query, at most `limit` bytes of bodies; the least recently used go first."""

    def __init__(self, limit: int = 64 * 1024 * 1024) -> None:
        self._limit = limit
        self._size = 0
        self._answers: OrderedDict[str, CachedAnswer] = OrderedDict()

    def __len__(self) -> int:
        return len(self._answers)

    def find(self, key: str, now: float) -> CachedAnswer | None:
        """The answer, if it is still fresh."""
        answer = self._answers.get(key)
        if answer is None:
            return None
        if answer.until <= now:
            self._drop(key)
            return None
        self._answers.move_to_end(key)
        return answer

    def keep(self, key: str, answer: CachedAnswer) -> None:
        """Remember it in place of what the key had."""
        self._drop(key)
        self._answers[key] = answer
        self._size += len(answer.body)
        while self._size > self._limit:
            self._drop(next(iter(self._answers)))

    def purge(self, pattern: str) -> int:
        """Forget every path that matches; `*` stands for anything, a final `/` for all below. Gives how many."""
        pattern += "*" if pattern.endswith("/") else ""
        matches = re.compile(".*".join(re.escape(part) for part in pattern.split("*")), re.DOTALL).fullmatch
        keys = [key for key, answer in self._answers.items() if matches(answer.path)]
        for key in keys:
            self._drop(key)
        return len(keys)

    def _drop(self, key: str) -> None:
        answer = self._answers.pop(key, None)
        if answer:
            self._size -= len(answer.body)


def max_age(cache_control: str) -> int:
    """Seconds that a shared cache may keep an answer; 0 when it may not, or does not say."""
    parts = (part.partition("=") for part in cache_control.split(","))
    directives = {name.strip().lower(): value.strip(' "') for name, _, value in parts}
    if not directives.keys().isdisjoint({"no-store", "no-cache", "private"}):
        return 0
    age = directives.get("s-maxage", directives.get("max-age", ""))
    return int(age) if age.isascii() and age.isdigit() and len(age) < 10 else 0
