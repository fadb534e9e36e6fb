"""Sends viewers to the failover and back: hears what probes find, decides, and knows what other processes decided.

What probes say is kept in memory, by the process that hears it; what was decided is in the store. Each process decides
on its own evidence, and of two that decide at once one is told to look again. Whoever takes the probing over begins its
five clear minutes anew, which errs on the safe side.
"""

from collections import OrderedDict
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from datetime import datetime, timedelta

import structlog
from msgspec import Struct

from streaming_service.application.failover_book import FailoverBook
from streaming_service.application.ports import Clock
from streaming_service.context import correlation_id, new_correlation_id
from streaming_service.domain.failover import WHOLE, Decision, Mode, Standing, abandon, decide, settle
from streaming_service.domain.failover_evidence import Evidence, Reading, Survey
from streaming_service.domain.failover_policy import FailoverPolicy
from streaming_service.domain.notification import Cause
from streaming_service.domain.probe import Observation
from streaming_service.errors import Conflict
from streaming_service.tracing import traceparent

log = structlog.get_logger(__name__)

ACTOR = "failover"
_TRIES = 3
_CASES = 20_000
# So many contents are watched for all while the whole CDN is on the failover.
_SAMPLE = 20


class Reprobe(Struct, frozen=True):
    """A content that is to be probed on both origins at that moment, or soon after."""

    content_id: str
    at: datetime


class _Case:
    """What is known about one content."""

    __slots__ = ("counted", "evidence", "heard_at", "reading", "thought")

    def __init__(self) -> None:
        self.evidence = Evidence()
        self.reading = Reading()
        self.thought = ""
        self.counted = False
        self.heard_at: datetime | None = None


class Failover:
    """Every process has one; the one that probes tells it what was seen.

    `probe_soon` is told which content is to be probed in how many seconds, beside the schedule. Without `enabled` there
    is no failover to send anybody to.
    """

    def __init__(
        self,
        *,
        book: FailoverBook,
        policy: FailoverPolicy,
        clock: Clock,
        enabled: bool,
        probe_soon: Callable[[str, float], None],
    ) -> None:
        self.enabled = enabled
        self._book = book
        self._policy = policy
        self._clock = clock
        self._probe_soon = probe_soon
        self._cases: OrderedDict[str, _Case] = OrderedDict()
        self._survey = Survey()
        self._whole_thought = ""
        self._surveyed_at: datetime | None = None
        self._doubtful_since: datetime | None = None
        self._most_fail = False
        self._wanted: dict[str, datetime] = {}
        self._sampled: set[str] = set()

    async def heard(self, observations: Sequence[Observation], *, asked_for: bool = False) -> None:
        """Take in what probes saw, and do what follows.

        `asked_for`: somebody chose these contents, perhaps because they fail. They say nothing about the whole CDN.
        Raises StoreError; what was heard is kept, and what follows from it is done the next time.
        """
        if not self.enabled:
            return
        now = self._clock.now()
        touched = {item.content_id: self._take_in(item, now, counted=not asked_for) for item in observations}
        for case in touched.values():
            case.evidence, case.reading = case.evidence.read(now, self._policy)
        await self._look_at_the_whole(now)
        for content_id, case in touched.items():
            decision = await self._follow(content_id, case.reading, now)
            case.thought = decision.thought
            self._want(content_id, decision.probe_in or self._sample(content_id, case), now)

    def reprobes(self) -> tuple[Reprobe, ...]:
        """What is to be probed beside the schedule, the most urgent first. Each is wanted until it was probed.

        That what is on the failover is watched depends on nobody's memory: whoever probes next finds it here.
        """
        now = self._clock.now()
        horizon = now - timedelta(seconds=self._policy.silence)
        self._wanted = {content_id: at for content_id, at in self._wanted.items() if at >= horizon}
        away = {item.subject: now for item in self._book.known() if item.subject != WHOLE and item.share(now) > 0}
        wanted = {**away, **self._wanted}
        return tuple(Reprobe(content_id, at) for content_id, at in sorted(wanted.items(), key=lambda it: it[1]))

    def state(self, content_id: str) -> tuple[str, str]:
        """Where its viewers are sent (`primary`, `promoted`, `returning`), and why; what is thought of it, if that is
        newer. From memory."""
        if not self.enabled:
            return Mode.PRIMARY.value, "there is no failover: CDN_FAILOVER_BASE_URL is not set"
        now = self._clock.now()
        whole = self._book.standing(WHOLE)
        if whole.share(now) > 0:
            return whole.mode.value, f"the whole CDN: {self._reason(whole, self._whole_thought)}"
        case = self._cases.get(content_id)
        if case and case.heard_at and (now - case.heard_at).total_seconds() > self._policy.silence:
            case = None
        standing = self._book.standing(content_id)
        mode = Mode.PRIMARY if standing.share(now) <= 0 else standing.mode
        return mode.value, self._reason(standing, case.thought if case else "")

    def leads_away(self, content_id: str, viewer: str) -> bool:
        """Whether this viewer of this content goes to the failover. From memory, for the manifest route."""
        return self.enabled and self._book.leads_away(content_id, viewer)

    def share(self) -> float:
        """The part of all viewers, whatever they watch, that goes to the failover: 0 to 1."""
        return self._book.standing(WHOLE).share(self._clock.now())

    def elsewhere(self) -> Mapping[Mode, int]:
        """How many contents are not on the primary by themselves, by mode."""
        now = self._clock.now()
        modes = [item.mode for item in self._book.known() if item.subject != WHOLE and item.share(now) > 0]
        return {mode: modes.count(mode) for mode in (Mode.PROMOTED, Mode.RETURNING)}

    async def refresh(self) -> None:
        """Learn what other processes decided. Raises StoreError."""
        await self._book.refresh()

    async def keep_fresh(self, interval: float, sleep: Callable[[float], Awaitable[None]]) -> None:
        """For ever, every `interval` seconds; while the store is down what is known stays."""
        await self._book.keep_fresh(interval, sleep)

    async def tidy(self) -> None:
        """Write down what time alone changed, and what nobody can tell of contents that are gone. Raises StoreError."""
        now = self._clock.now()
        for standing in self._book.known():
            after = settle(standing, now, self._policy) or standing
            if after.mode is not Mode.PRIMARY and await self._book.is_gone(after.subject):
                after = abandon(after, now)
            if after is standing:
                continue
            try:
                await self._book.write(standing, after, "", None, _cause())
            except Conflict:
                continue  # somebody knows better

    def _take_in(self, observation: Observation, now: datetime, *, counted: bool) -> _Case:
        case = self._cases.get(observation.content_id)
        if case is None:
            case = self._cases[observation.content_id] = _Case()
            while len(self._cases) > _CASES:
                self._cases.popitem(last=False)
        self._cases.move_to_end(observation.content_id)
        case.evidence = case.evidence.with_observation(observation, now, self._policy)
        case.heard_at = now
        case.counted = case.counted or counted
        return case

    async def _look_at_the_whole(self, now: datetime) -> None:
        """At most once a second: there may be many contents."""
        if self._surveyed_at is not None and 0 <= (now - self._surveyed_at).total_seconds() < self._policy.quick / 2:
            return
        self._surveyed_at = now
        recent = list(self._recent(now))
        self._survey, reading = self._survey.read(
            (case.reading.primary for case in recent), (case.reading.failover for case in recent), now, self._policy
        )
        self._most_fail = reading.primary.fails
        self._doubtful_since = (self._doubtful_since or now) if reading.primary.doubtful else None
        decision = await self._follow(WHOLE, reading, now)
        self._whole_thought = decision.thought

    def _recent(self, now: datetime) -> Iterable[_Case]:
        """Those of which something was heard lately, by the schedule."""
        horizon = now - timedelta(seconds=self._policy.silence)
        for case in reversed(self._cases.values()):
            if case.heard_at is None or case.heard_at < horizon:
                return
            if case.counted:
                yield case

    async def _follow(self, subject: str, reading: Reading, now: datetime) -> Decision:
        """Decide, and write it; when another process wrote meanwhile, decide again on what it wrote."""
        for _ in range(_TRIES):
            before = self._book.standing(subject)
            if subject != WHOLE and (left := self._left_to_the_whole(before, now)):
                return left
            decision = decide(before, reading, now, self._policy)
            if decision.standing is None:
                return decision
            path, region = await self._book.path_of(subject)
            if path is None:
                return Decision(thought="nothing is served")
            try:
                await self._book.write(before, decision.standing, path, region, _cause())
            except Conflict:
                await self._book.reload(subject)
                continue
            if before.mode is not decision.standing.mode:
                log.warning("failover", subject=subject, mode=decision.standing.mode.value, reason=decision.thought)
            return decision
        return Decision(thought="others are deciding about it", probe_in=self._policy.quick)

    def _left_to_the_whole(self, before: Standing, now: datetime) -> Decision | None:
        """When most contents fail, it is said once and not of each, and what holds all back holds each back."""
        whole = self._book.standing(WHOLE)
        if whole.frozen_at is not None:
            return Decision(thought=f"all are frozen by {whole.actor}")
        if before.mode is not Mode.PRIMARY:
            return None
        if whole.share(now) >= 1:
            return Decision(thought="the whole CDN is on the failover")
        if self._most_fail and whole.held_until is not None and now < whole.held_until:
            return Decision(thought="most contents fail, and all are held on the primary", probe_in=self._policy.watch)
        since = self._doubtful_since
        if since is not None and (now - since).total_seconds() < self._policy.together:
            return Decision(thought="most contents fail: to be confirmed for all", probe_in=self._policy.quick)
        return None

    def _sample(self, content_id: str, case: _Case) -> float | None:
        """Enough contents are watched for the whole CDN to be known, whatever the schedule."""
        self._sampled &= self._wanted.keys()
        if self.share() <= 0 or not case.counted:
            self._sampled.discard(content_id)
            return None
        if content_id not in self._sampled and len(self._sampled) >= _SAMPLE:
            return None
        self._sampled.add(content_id)
        return self._policy.watch

    def _want(self, content_id: str, probe_in: float | None, now: datetime) -> None:
        if probe_in is None:
            self._wanted.pop(content_id, None)
            return
        self._wanted[content_id] = now + timedelta(seconds=probe_in)
        self._probe_soon(content_id, probe_in)

    @staticmethod
    def _reason(standing: Standing, thought: str) -> str:
        return thought or (standing.reason if standing.active else "")


def _cause() -> Cause:
    return Cause(ACTOR, correlation_id.get() or new_correlation_id(), traceparent())
