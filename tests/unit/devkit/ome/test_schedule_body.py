"""What OME takes and refuses as a scheduled channel."""

from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streaming_service.devkit.ome.rest import ApiError
from streaming_service.devkit.ome.schedule import Item
from streaming_service.devkit.ome.schedule_body import parse_new, parse_patch, show

BODY: dict[str, Any] = {
    "stream": {"name": "channel", "bypassTranscoder": True, "videoTrack": True, "audioTrack": False},
    "programs": [
        {
            "name": "main",
            "scheduled": "2026-11-22T13:46:13.591+00:00",
            "repeat": True,
            "items": [{"url": "file://a.mp4", "start": 10, "duration": 20}],
        }
    ],
    "fallbackProgram": {"items": [{"url": "stream://default/reels/live"}]},
}

json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=20),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["stream", "name", "programs", "items", "url", "scheduled", "fallbackProgram", "start"]),
            inner,
            max_size=4,
        )
    ),
    max_leaves=12,
)


def test_shown_as_sent() -> None:
    shown = show(parse_new(BODY))

    assert shown["stream"].items() >= BODY["stream"].items()
    assert shown["programs"][0]["scheduled"] == BODY["programs"][0]["scheduled"]
    assert shown["programs"][0]["items"][0].items() >= BODY["programs"][0]["items"][0].items()
    assert shown["fallbackProgram"]["name"] == "fallback"


def test_what_was_not_sent_is_not_shown() -> None:
    assert show(parse_new({"stream": {"name": "channel"}})).keys() == {"stream"}


def test_patch_replaces_whole_parts() -> None:
    loaded = parse_new(BODY)

    patched = parse_patch({"fallbackProgram": {"items": [{"url": "file://b.mp4"}]}}, loaded)

    assert patched.programs == loaded.programs
    assert patched.fallback == (Item("file://b.mp4"),)
    assert parse_patch({}, loaded) == loaded
    assert parse_patch({"programs": []}, loaded).programs == ()


@given(json_values)
def test_any_json_is_taken_or_refused(body: object) -> None:
    with suppress(ApiError):
        show(parse_new(body))


@pytest.mark.parametrize("body", [[], None, {"stream": {"name": "x"}}, {"programs": [{"items": []}]}])
def test_refused_patches(body: object) -> None:
    with pytest.raises(ApiError) as refused:
        parse_patch(body, parse_new(BODY))

    assert refused.value.status == 400
