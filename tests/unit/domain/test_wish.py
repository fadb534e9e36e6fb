"""What becomes of a request: new, changed, the same, or overtaken, whatever the order of arrival."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from streaming_service.domain.channel import Channel
from streaming_service.domain.content import AvailabilityWindow, Classification, Drm, GeoRestrictions, Protocol
from streaming_service.domain.ladder import parse_ladder
from streaming_service.domain.source import MediaMounts, Mount, ObjectUri
from streaming_service.domain.spec import ChannelSpec
from streaming_service.domain.state import Status
from streaming_service.domain.upload import ProvisionRequest
from streaming_service.domain.wish import Outcome, SpecPolicy, decide
from streaming_service.errors import InvalidInput

NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
SECOND = timedelta(seconds=1)
REELS = parse_ladder("720p|1280x720|2500,360p|640x360|900")
SERIES = parse_ladder("1080p|1920x1080|4500")
POLICY = SpecPolicy(
    ladders={Classification.REEL: REELS, Classification.SERIES: SERIES},
    applications={Classification.REEL: "reels", Classification.SERIES: "series"},
    mounts=MediaMounts((Mount("uploads", "in"),)),
    allowed_hosts=frozenset({"cdn.example", "cdn.example:8443"}),
)


def said(checksum: str = "sum-1", at: int = 0, **changes: Any) -> ProvisionRequest:
    """A request made `at` seconds after NOW."""
    request = ProvisionRequest(
        content_id="0b5c7e0e-6b1c-4c57-8f0a-3d6c2f4a9b11",
        classification=Classification.REEL,
        source=ObjectUri("uploads", f"{checksum}.mp4"),
        checksum=checksum,
        protocol=Protocol.LL_HLS,
        said_at=NOW + at * SECOND,
    )
    return replace(request, **changes)


def after(*requests: ProvisionRequest) -> Channel:
    """The channel after these have arrived in this order."""
    channel: Channel | None = None
    for request in requests:
        channel = decide(channel, request, POLICY, NOW).channel
    assert channel is not None
    return channel


def outcome(*requests: ProvisionRequest) -> Outcome:
    """Of the last one."""
    return decide(after(*requests[:-1]), requests[-1], POLICY, NOW).outcome


def test_an_unknown_content_is_created() -> None:
    wish = decide(None, said(), POLICY, NOW)

    assert wish.outcome is Outcome.CREATED
    assert (wish.channel.spec.media_path, wish.channel.spec.application) == ("in/sum-1.mp4", "reels")
    assert wish.channel.spec.rungs == REELS.rungs


def test_the_same_again_writes_nothing() -> None:
    channel = after(said())
    wish = decide(channel, said(), POLICY, NOW)

    assert wish.outcome is Outcome.UNCHANGED
    assert wish.channel is channel


def test_the_same_said_later_only_ages_the_wish() -> None:
    channel = after(said())
    wish = decide(channel, said(at=5), POLICY, NOW)

    assert wish.outcome is Outcome.UNCHANGED
    assert wish.channel.said_at == NOW + 5 * SECOND
    assert (wish.channel.generation, wish.channel.spec) == (1, channel.spec)


def test_new_media_is_a_revision() -> None:
    assert outcome(said(), said("sum-2", at=1)) is Outcome.REVISED
    assert after(said(), said("sum-2", at=1)).spec.checksum == "sum-2"


def test_an_older_event_that_comes_late_is_overtaken() -> None:
    assert outcome(said("sum-2", at=1), said("sum-1", at=0)) is Outcome.SUPERSEDED
    assert after(said("sum-2", at=1), said("sum-1", at=0)).spec.checksum == "sum-2"


def test_a_confirmed_media_beats_one_said_between() -> None:
    assert after(said("sum-1"), said("sum-1", at=3), said("sum-2", at=2)).spec.checksum == "sum-1"


def test_a_late_event_fills_the_gaps() -> None:
    channel = after(said(at=1), said(at=0, tenant_id="tenant", renditions=()))

    assert channel.spec.tenant_id == "tenant"
    assert channel.said_at == NOW + SECOND


def test_a_late_event_never_overwrites_a_newer_answer() -> None:
    assert after(said(at=1, tenant_id="new"), said(at=0, tenant_id="old")).spec.tenant_id == "new"


def test_what_new_media_does_not_say_stays_unless_it_belongs_to_the_old() -> None:
    spec = after(said(tenant_id="tenant", bucket="b", storage_prefix="p"), said("sum-2", at=1)).spec

    assert (spec.tenant_id, spec.bucket, spec.storage_prefix) == ("tenant", None, None)


def test_an_overtaken_event_still_fills_what_is_not_about_its_media() -> None:
    spec = after(said("sum-2", at=1), said("sum-1", at=0, tenant_id="tenant", bucket="b")).spec

    assert (spec.checksum, spec.tenant_id, spec.bucket) == ("sum-2", "tenant", None)


def test_a_protocol_that_was_said_beats_the_default() -> None:
    hinted = said(protocol=Protocol.HLS, said_protocol=True)

    assert after(hinted, said(at=1)).spec.protocol is Protocol.HLS
    assert after(said(at=1), hinted).spec.protocol is Protocol.HLS


def test_without_a_hint_the_protocol_is_that_of_the_classification() -> None:
    series = said(at=1, classification=Classification.SERIES, protocol=Protocol.HLS)

    assert after(said(), series).spec.protocol is Protocol.HLS


def test_a_hinted_application_stays_until_the_classification_changes() -> None:
    hinted = said(application_hint="series")
    series = said(at=2, classification=Classification.SERIES)

    assert after(hinted, said(at=1)).spec.application == "series"
    assert after(said(at=0, application_hint="reels"), series).spec.application == "series"


def test_a_changed_classification_brings_its_own_ladder() -> None:
    assert after(said(), said(at=1, classification=Classification.SERIES)).spec.rungs == SERIES.rungs


@pytest.mark.parametrize("at", [-10, 0, 30, 60])
def test_a_retired_content_stays_retired_whatever_comes_late(at: int) -> None:
    # Said at 60 by a clock that runs ahead of ours, retired at 30 on ours.
    retired = after(said(at=60)).retired(NOW + 30 * SECOND)
    wish = decide(retired, said("sum-2", at=at), POLICY, NOW)

    assert wish.outcome is Outcome.SUPERSEDED
    assert wish.channel is retired


def test_a_wish_made_after_the_retirement_brings_the_content_back() -> None:
    retired = after(said()).retired(NOW + 30 * SECOND)
    wish = decide(retired, said(at=31), POLICY, NOW)

    assert wish.outcome is Outcome.REVISED
    assert wish.channel.status is Status.PROVISIONING


def test_a_bucket_that_is_not_mounted_is_refused_even_when_overtaken() -> None:
    foreign = said("sum-0", at=-5, source=ObjectUri("elsewhere", "a.mp4"))

    for channel in (None, after(said())):
        with pytest.raises(InvalidInput, match="'elsewhere' is not one of the allowed upload buckets"):
            decide(channel, foreign, POLICY, NOW)


@pytest.mark.parametrize(
    ("url", "kept"),
    [
        ("https://cdn.example", "https://cdn.example"),
        ("https://cdn.example/", "https://cdn.example"),
        ("https://cdn.example:8443/videos/", "https://cdn.example:8443/videos"),
        ("http://cdn.example", "http://cdn.example"),
        ("https://evil.example", None),
        ("https://cdn.example.evil.example", None),
        ("https://evil.example/cdn.example", None),
        ("https://cdn.example@evil.example", None),
        ("https://evil.example#@cdn.example", None),
        ("https://user@cdn.example", None),
        ("https://cdn.example:1234", None),
        ("https://cdn.example?x=1", None),
        ("https://cdn.example\\@evil.example", None),
        ("ftp://cdn.example", None),
        ("//cdn.example", None),
        ("cdn.example", None),
        ("https://[", None),
        ("", None),
    ],
)
def test_only_an_allowed_base_url_counts(url: str, kept: str | None) -> None:
    assert after(said(base_url=url)).spec.base_url == kept


@given(st.text(max_size=60) | st.from_regex(r"https?://[a-z@.:/\\#?%\[\]]{0,30}cdn\.example[a-z@.:/\\#?]{0,20}"))
def test_whatever_an_event_says_we_never_sign_for_a_foreign_host(url: str) -> None:
    base = after(said(base_url=url)).spec.base_url

    assert (
        base is None
        or base.startswith(
            ("https://cdn.example/", "http://cdn.example/", "https://cdn.example:8443/", "http://cdn.example:8443/")
        )
        or base in {f"{scheme}://{host}" for scheme in ("http", "https") for host in POLICY.allowed_hosts}
    )


def test_a_foreign_base_url_does_not_erase_an_allowed_one() -> None:
    spec = after(said(base_url="https://cdn.example"), said(at=1, base_url="https://evil.example")).spec

    assert spec.base_url == "https://cdn.example"


# -- order ------------------------------------------------------------------------------------------------------------

_MAYBE = st.none() | st.sampled_from(["a", "b", "c"])


@st.composite
def requests(draw: st.DrawFn) -> ProvisionRequest:
    classification = draw(st.sampled_from(Classification))
    protocol = draw(st.none() | st.sampled_from(Protocol))
    default = Protocol.LL_HLS if classification is Classification.REEL else Protocol.HLS
    tenant, region, key = draw(_MAYBE), draw(_MAYBE), draw(_MAYBE)
    return said(
        draw(st.sampled_from(["sum-1", "sum-2", "sum-3"])),
        draw(st.integers(0, 6)),
        classification=classification,
        protocol=protocol or default,
        said_protocol=protocol is not None,
        application_hint=draw(st.sampled_from([None, None, "reels", "series"])),
        source=ObjectUri("uploads", draw(st.sampled_from(["x.mp4", "y.mp4"]))),
        tenant_id=tenant,
        ingest_region=region,
        drm=Drm(key, "https://licence.example") if key else None,
        bucket=draw(_MAYBE),
        storage_prefix=draw(_MAYBE),
        base_url=draw(st.sampled_from([None, "https://cdn.example/a", "https://evil.example"])),
        availability=draw(st.sampled_from([None, AvailabilityWindow(NOW, None), AvailabilityWindow(None, NOW)])),
        geo=draw(st.sampled_from([None, GeoRestrictions(("DE",)), GeoRestrictions((), ("FR",))])),
    )


@settings(max_examples=400, deadline=None)
@given(data=st.data(), sent=st.lists(requests(), min_size=1, max_size=6))
def test_the_order_of_arrival_and_duplicates_do_not_matter(data: st.DataObject, sent: list[ProvisionRequest]) -> None:
    in_order = after(*sorted(sent, key=lambda request: request.said_at))
    arrival = data.draw(st.permutations(sent + data.draw(st.lists(st.sampled_from(sent), max_size=4))))

    shuffled = after(*arrival)

    assert shuffled.spec == in_order.spec
    assert (shuffled.said_at, shuffled.said) == (in_order.said_at, in_order.said)


@settings(max_examples=200, deadline=None)
@given(sent=st.lists(requests(), min_size=1, max_size=8, unique_by=lambda request: request.said_at))
def test_the_result_is_what_reading_everything_in_order_gives(sent: list[ProvisionRequest]) -> None:
    spec = after(*sent).spec
    newest_last = sorted(sent, key=lambda request: request.said_at)
    about_this_media = _last_run(newest_last, "checksum")

    assert spec.checksum == newest_last[-1].checksum
    assert spec.classification is newest_last[-1].classification
    assert spec.source_uri == str(newest_last[-1].source)
    for name in ("tenant_id", "ingest_region", "drm", "availability", "geo"):
        assert getattr(spec, name) == _newest(newest_last, name)
    for name in ("bucket", "storage_prefix"):
        assert getattr(spec, name) == _newest(about_this_media, name)
    _check_hints(spec, newest_last)


def _check_hints(spec: ChannelSpec, newest_last: Sequence[ProvisionRequest]) -> None:
    hint = _newest(_last_run(newest_last, "classification"), "application_hint")
    assert spec.application == (hint or POLICY.applications[spec.classification])
    protocols = [request.protocol for request in newest_last if request.said_protocol]
    default = Protocol.LL_HLS if spec.classification is Classification.REEL else Protocol.HLS
    assert spec.protocol is (protocols[-1] if protocols else default)


def _last_run(newest_last: Sequence[ProvisionRequest], name: str) -> list[ProvisionRequest]:
    """The requests since the answer last changed."""
    run: list[ProvisionRequest] = []
    for request in reversed(newest_last):
        if getattr(request, name) != getattr(newest_last[-1], name):
            break
        run.insert(0, request)
    return run


def _newest(newest_last: Sequence[ProvisionRequest], name: str) -> Any:
    answers = [getattr(request, name) for request in newest_last if getattr(request, name) is not None]
    return answers[-1] if answers else None
