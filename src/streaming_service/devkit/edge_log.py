"""What the edge was asked, for a person and for tests."""

from collections import Counter, deque
from collections.abc import Mapping
from typing import Any

from msgspec import Struct

from streaming_service.domain.signing.scheme import Verdict


class EdgeRequest(Struct, frozen=True):
    """One request. Without its query, which is a credential. `cache`: hit, miss, or empty. `at` is Unix seconds."""

    at: float
    method: str
    path: str
    verdict: Verdict
    status: int
    cache: str = ""


class EdgeLog:
    """The last 200 requests, and counts of all."""

    def __init__(self) -> None:
        self._recent: deque[EdgeRequest] = deque(maxlen=200)
        self._counts: Counter[str] = Counter()

    def add(self, request: EdgeRequest) -> None:
        """Keep and count it."""
        self._recent.append(request)
        self._counts["requests"] += 1
        self._counts[f"verdict.{request.verdict}"] += 1
        self._counts[f"status.{request.status}"] += 1
        if request.cache:
            self._counts[f"cache.{request.cache}"] += 1

    def count(self, name: str, more: int = 1) -> None:
        """Count something that is no request."""
        self._counts[name] += more

    @property
    def recent(self) -> tuple[EdgeRequest, ...]:
        """Oldest first."""
        return tuple(self._recent)

    def summary(self) -> Mapping[str, Any]:
        """`{counts: {name: number}, recent: […]}`."""
        return {"counts": dict(sorted(self._counts.items())), "recent": self.recent}
