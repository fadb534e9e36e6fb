"""What fails, so that it is told when that changes and not with every probe."""

from collections import OrderedDict
from collections.abc import Mapping, Sequence

from msgspec import Struct
from msgspec.structs import replace

from streaming_service.domain.probe import Observation, ProbeVerdict, Target

# A content that fails in one region for one reason: what is remembered of each.
Picture = Mapping[str, ProbeVerdict]


class Turn(Struct, frozen=True):
    """What fails of a content on a target changed: the failing regions with their verdicts now and before, and how
    many regions are known. Nothing in `failing`: it plays again."""

    content_id: str
    target: Target
    failing: Picture
    before: Picture
    known: int


class _Entry(Struct, frozen=True):
    """`told` is what was told last, `seen` what was seen last; `known` regions."""

    told: Picture = {}
    seen: Picture = {}
    known: frozenset[str] = frozenset()


class Ledger:
    """Remembers contents that fail, the `capacity` latest of them."""

    def __init__(self, *, capacity: int = 50_000) -> None:
        self._entries: OrderedDict[tuple[str, Target], _Entry] = OrderedDict()
        self._capacity = capacity

    def __len__(self) -> int:
        return len(self._entries)

    def note(
        self, content_id: str, observations: Sequence[Observation], silent: Sequence[tuple[str, Target]] = ()
    ) -> tuple[list[Turn], bool]:
        """Everything that was just observed of a content, and where nobody answered. Gives what is to be told, and
        whether something is in doubt: a failure is told when a second probe confirms it."""
        turns: list[Turn] = []
        in_doubt = False
        for target in Target:
            mine = [item for item in observations if item.target is target]
            quiet = {region for region, where in silent if where is target}
            if not mine and not quiet:
                continue
            key = (content_id, target)
            before = self._entries.pop(key, _Entry())
            now = _merged(before, mine, quiet)
            if now.seen != before.told:
                # A recovery, and one failure that turned into another, need no second look.
                if before.told or not now.seen or before.seen:
                    turns.append(Turn(content_id, target, now.seen, before.told, len(now.known)))
                    now = replace(now, told=now.seen)
                else:
                    in_doubt = True
            if now.seen or now.told:
                self._entries[key] = now
        while len(self._entries) > self._capacity:
            self._entries.popitem(last=False)
        return turns, in_doubt

    def forget(self, content_id: str) -> None:
        """It plays nowhere any more, on purpose."""
        for target in Target:
            self._entries.pop((content_id, target), None)

    def clear(self) -> None:
        """Somebody else remembers from now on."""
        self._entries.clear()


def _merged(before: _Entry, observed: Sequence[Observation], silent: set[str]) -> _Entry:
    """A region that was not asked keeps its verdict, one that did not answer has none."""
    failing = {region: verdict for region, verdict in before.seen.items() if region not in silent}
    for item in observed:
        failing.pop(item.region, None)
        if item.verdict is not ProbeVerdict.OK:
            failing[item.region] = item.verdict
    known = (before.known | {item.region for item in observed}) - silent
    return replace(before, seen=dict(sorted(failing.items())), known=known)
