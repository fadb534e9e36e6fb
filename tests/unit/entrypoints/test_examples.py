"""Examples in the API's description are what they claim to be."""

import msgspec
import pytest

from streaming_service.application.playback import SignedPlayback
from streaming_service.application.title import ManifestAnswer
from streaming_service.domain.signing.scheme import SignedCookie
from streaming_service.entrypoints.http.dead_letters import DeadLetterView
from streaming_service.entrypoints.http.deliveries import DeliveryView
from streaming_service.entrypoints.http.examples import EXAMPLES
from streaming_service.entrypoints.http.failover import FailoverEntry, FailoverList
from streaming_service.entrypoints.http.health import Health, Readiness
from streaming_service.entrypoints.http.ingest_views import IngestView
from streaming_service.entrypoints.http.internal import Qos
from streaming_service.entrypoints.http.origins import OriginEntry, OriginList
from streaming_service.entrypoints.http.probes import ProbeResults
from streaming_service.entrypoints.http.streams import ChannelList, HistoryView, Requested, RotationRequested
from streaming_service.entrypoints.http.views import ChannelView

TYPES: tuple[type[msgspec.Struct], ...] = (
    ManifestAnswer,
    SignedPlayback,
    SignedCookie,
    ChannelView,
    ChannelList,
    HistoryView,
    DeadLetterView,
    DeliveryView,
    Requested,
    RotationRequested,
    IngestView,
    Qos,
    FailoverEntry,
    FailoverList,
    OriginEntry,
    OriginList,
    ProbeResults,
    Health,
    Readiness,
)


@pytest.mark.parametrize("kind", TYPES, ids=lambda kind: kind.__name__)
def test_an_example_survives_its_type(kind: type[msgspec.Struct]) -> None:
    example = EXAMPLES[kind.__name__]
    assert msgspec.json.decode(msgspec.json.encode(msgspec.convert(example, kind))) == example


def test_no_example_is_left_over() -> None:
    assert set(EXAMPLES) == {kind.__name__ for kind in TYPES}
