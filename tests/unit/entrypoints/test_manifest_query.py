"""Reading the manifest route's query."""

from types import SimpleNamespace
from typing import cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streaming_service.application.playback import Playback
from streaming_service.domain.ladder import QUALITIES
from streaming_service.entrypoints.http.clients import nobody_guesses
from streaming_service.entrypoints.http.manifest import ManifestRoute, content_in
from streaming_service.entrypoints.http.manifest_query import DEVICES, ManifestQuery, parse_manifest_query
from streaming_service.errors import InvalidInput
from streaming_service.telemetry import ManifestMeter

SESSION = "9b2e4c1a-7c1b-4d52-8a3f-2f8f0a1c6d99"


def test_nothing_said_is_the_full_ladder() -> None:
    assert parse_manifest_query("") == ManifestQuery("auto", None, None, None)


def test_everything_said() -> None:
    said = parse_manifest_query(f"quality=720p&device=tv&geo=at&session={SESSION}")
    assert said == ManifestQuery("720p", "tv", "AT", SESSION)


@pytest.mark.parametrize("quality", QUALITIES)
@pytest.mark.parametrize("device", DEVICES)
def test_every_quality_on_every_device(quality: str, device: str) -> None:
    assert parse_manifest_query(f"device={device}&quality={quality}") == ManifestQuery(quality, device)


def test_escapes_are_read() -> None:
    assert parse_manifest_query("%71uality=480%70&x=+").quality == "480p"


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ("quality", "quality"),
        ("quality=AUTO", "quality"),
        ("quality=720p&%71uality=720p", "quality"),
        ("geo=", "geo"),
        ("geo=A1", "geo"),
        ("device=", "device"),
        ("session=", "session"),
        (f"session={SESSION}0", "session"),
        ("geo=AT&geo=DE", "geo"),
    ],
)
def test_the_wrong_one_is_named(query: str, field: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        parse_manifest_query(query)
    assert caught.value.field == field


@given(st.text(st.characters(min_codepoint=33, max_codepoint=126)))
def test_no_query_makes_it_stumble(query: str) -> None:
    try:
        parse_manifest_query(query)
    except InvalidInput as error:
        assert error.field in {"quality", "device", "geo", "session"}  # noqa: PT017 - it may also pass


@pytest.mark.parametrize(
    ("path", "said"),
    [
        ("/v1/streams/a/manifest", "a"),
        ("/v1/streams/a/b/manifest", None),
        ("/v1/streams//manifest", None),
        ("/v1/streams/manifest", None),
        ("/v1/streams/a/manifest/", None),
        ("/v1/streams/a", None),
        ("/health", None),
    ],
)
def test_only_its_own_path_is_taken(path: str, said: str | None) -> None:
    assert content_in(path) == said


def test_what_players_say_is_remembered_within_bounds_and_a_session_never() -> None:
    playback = SimpleNamespace(manifest=None, known=None, recognises=None, cache_control="")
    route = ManifestRoute(cast("Playback", playback), ManifestMeter(), nobody_guesses())
    session = "session=9b2e4c1a-7c1b-4d52-8a3f-2f8f0a1c6d11"

    assert route._parsed("quality=720p") is route._queries["quality=720p"]
    route._parsed(session)
    route._parsed("x=" + "y" * 500)
    assert set(route._queries) == {"", "quality=720p"}

    for number in range(5000):
        route._parsed(f"x={number}")
    assert len(route._queries) <= 1025
