"""Origins as people see them, for tests of what is shown."""

from typing import Any

from streaming_service.application.fleet_watch import OriginView
from streaming_service.domain.fleet.health import HealthState
from tests.fakes import NOW


class FakeViews:
    """One that is well, one that is down."""

    def __init__(self) -> None:
        self.refreshed = 0
        self.origins = [origin_view("ome-1"), origin_view("ome-2", state=HealthState.DOWN, reason="cannot be reached")]

    async def refresh(self) -> None:
        self.refreshed += 1

    def views(self) -> tuple[OriginView, ...]:
        return tuple(self.origins)


def origin_view(name: str, **changes: Any) -> OriginView:
    facts: dict[str, Any] = {
        "pools": ("reels",),
        "state": HealthState.UP,
        "since": NOW,
        "capacity": 5,
        "allowed": 5,
        "drained": False,
        "overloaded": False,
        "applications": frozenset({"reels"}),
        "reason": "",
    }
    return OriginView(name=name, **{**facts, **changes})
