"""What came to `bench.receiver`, against what was owed."""

import urllib.request
from collections import defaultdict
from collections.abc import Sequence

import msgspec

from streaming_service.domain.notification import Notification


def check(port: str, owed: Sequence[Notification]) -> None:
    """Raises RuntimeError unless the receiver got each debt once and each line in order, whatever else it got."""
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/") as answer:
        got: list[tuple[str, str]] = msgspec.json.decode(answer.read(), type=list[tuple[str, str]])
    line_of = {debt.id: (debt.content_id, debt.endpoint) for debt in owed}
    wanted, arrived = defaultdict[object, list[str]](list), defaultdict[object, list[str]](list)
    for debt in owed:
        wanted[line_of[debt.id]].append(debt.id)
    for _, key in got:
        if line := line_of.get(key):
            arrived[line].append(key)
    if wanted != arrived:
        wrong = [line for line, keys in wanted.items() if arrived[line] != keys]
        raise RuntimeError(f"{len(got)} arrived of {len(owed)}, {len(wrong)} lines not as owed: {wrong[:3]}")
