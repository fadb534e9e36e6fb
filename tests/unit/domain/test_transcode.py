"""Ladders fitted to sources, and the profiles that OME is given for them."""

import itertools
import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streaming_service.domain.ladder import QUALITIES, Ladder, Rung, parse_ladder
from streaming_service.domain.transcode import bypass_profile, fit, frame_rate, output_profile, playlists

REELS = parse_ladder("720p|1280x720|2500,480p|854x480|1500,360p|640x360|900")
SERIES = parse_ladder("1080p|1920x1080|4500,720p|1280x720|2500,480p|854x480|1500")

SIDES = st.integers(2, 8192)
RUNGS = st.lists(
    st.tuples(st.sampled_from([240, 270, 361, 480, 720, 1080, 2160]), st.integers(100, 9000), st.booleans()),
    min_size=1,
    max_size=6,
    unique_by=lambda item: item[0],
)


@st.composite
def ladders(draw: st.DrawFn) -> Ladder:
    entries = [
        f"{side}p|{side}x{side * 16 // 9}|{kbps}" if turned else f"{side}p|{side * 16 // 9}x{side}|{kbps}"
        for side, kbps, turned in draw(RUNGS)
    ]
    return parse_ladder(",".join(entries))


def sizes(rungs: tuple[Rung, ...]) -> dict[str, tuple[int, int]]:
    return {rung.name: (rung.width, rung.height) for rung in rungs}


# -- fitting ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("width", "height", "expected"),
    [
        (1920, 1080, {"720p": (1280, 720), "480p": (852, 480), "360p": (640, 360)}),
        (1280, 720, {"720p": (1280, 720), "480p": (852, 480), "360p": (640, 360)}),
        (720, 1280, {"720p": (720, 1280), "480p": (480, 852), "360p": (360, 640)}),
        (1080, 1080, {"720p": (720, 720), "480p": (480, 480), "360p": (360, 360)}),
        (640, 480, {"480p": (640, 480), "360p": (480, 360)}),
        (1278, 718, {"480p": (856, 480), "360p": (640, 360)}),
        (640, 360, {"360p": (640, 360)}),
        (320, 240, {"360p": (320, 240)}),
        (406, 720, {"360p": (360, 640)}),
        (321, 241, {"360p": (320, 240)}),
        (2, 2, {"360p": (2, 2)}),
        (0, 0, {"720p": (1280, 720), "480p": (854, 480), "360p": (640, 360)}),
    ],
)
def test_sizes(width: int, height: int, expected: dict[str, tuple[int, int]]) -> None:
    assert sizes(fit(REELS, width, height)) == expected


def test_a_wide_film_keeps_its_shape() -> None:
    assert sizes(fit(SERIES, 1920, 800)) == {"720p": (1728, 720), "480p": (1152, 480)}


def test_bitrates_shrink_with_the_picture_and_never_grow() -> None:
    assert [rung.bitrate_kbps for rung in fit(REELS, 1280, 720)] == [2500, 1496, 900]
    assert fit(REELS, 320, 240)[0].bitrate_kbps == 300
    assert fit(SERIES, 1920, 800)[0].bitrate_kbps == 2500
    assert fit(REELS, 2, 2)[0].bitrate_kbps == 64


@given(ladders(), SIDES, SIDES)
def test_nothing_is_scaled_up_stretched_or_invented(ladder: Ladder, width: int, height: int) -> None:
    rungs = fit(ladder, width, height)
    presets = {rung.name: rung for rung in ladder.rungs}
    assert rungs
    for rung in rungs:
        preset = presets[rung.name]
        assert 2 <= rung.width <= width
        assert 2 <= rung.height <= height
        assert all(side % 4 == 0 or side == 2 for side in (rung.width, rung.height))
        assert (rung.height > rung.width) <= (height > width)
        assert 0 < rung.bitrate_kbps <= preset.bitrate_kbps
        # Off by what rounding to 4 does to a side, and no more.
        assert abs(rung.width * height - rung.height * width) <= 4 * (width + height)
    assert [rung.name for rung in rungs] in (
        [rung.name for rung in ladder.rungs if rung.short_side <= min(width, height)],
        [ladder.rungs[-1].name],
    )


@given(ladders(), SIDES, SIDES)
def test_fitting_again_changes_nothing(ladder: Ladder, width: int, height: int) -> None:
    once = fit(ladder, width, height)
    assert fit(Ladder(once), width, height) == once


@given(ladders(), SIDES, SIDES)
def test_a_turned_source_has_turned_rungs(ladder: Ladder, width: int, height: int) -> None:
    upright, lying = fit(ladder, width, height), fit(ladder, height, width)
    assert [rung.name for rung in upright] == [rung.name for rung in lying]
    assert [(rung.width, rung.height) for rung in upright] == [(rung.height, rung.width) for rung in lying]


# -- frame rates ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("measured", "b_frames", "rate"),
    [
        # As a real OME 0.21 reported files of these rates.
        (24.998611450195312, False, 25.0),
        (24.988893508911133, False, 25.0),
        (29.970029830932617, False, 29.97),
        (30.0, False, 30.0),
        (50.0, False, 50.0),
        (27.0, True, 25.0),
        (32.0, True, 30.0),
        (25.974025726318359, True, 23.976),
        (31.965547561645508, True, 29.97),
        (62.0, True, 60.0),
        (15.0, False, 15.0),
        (12.5, True, None),
        (0.0, False, None),
        (1e9, False, None),
        (float("nan"), False, None),
    ],
)
def test_frame_rates(measured: float, b_frames: bool, rate: float | None) -> None:
    assert frame_rate(measured, b_frames=b_frames) == rate


@given(st.floats(), st.booleans())
def test_any_measurement_gives_a_rate_that_can_be_had_or_none(measured: float, b_frames: bool) -> None:
    rate = frame_rate(measured, b_frames=b_frames)
    assert rate is None or 1 <= rate <= 240


# -- profiles ---------------------------------------------------------------------------------------------------------

_KEYS: dict[str, set[str]] = {
    "profile": {"name", "outputStreamName", "encodes", "playlists"},
    "video": {"name", "codec", "bitrate", "width", "height", "framerate", "keyFrameInterval", "preset", "bypass"},
    "audio": {"name", "codec", "bitrate", "samplerate", "channel", "bypass", "bypassIfMatch"},
    "playlist": {"name", "fileName", "renditions"},
    "rendition": {"name", "video", "audio"},
}


def broken_rules(profile: dict[str, Any]) -> list[str]:
    """Which of OME's rules (`ome.md`) this profile breaks; each of them voids the whole answer."""
    problems = [f"unknown {key}" for key in profile if key not in _KEYS["profile"]]
    problems += [f"no {key}" for key in ("name", "outputStreamName", "encodes") if not profile.get(key)]
    videos, audios = profile["encodes"]["videos"], profile["encodes"].get("audios", [])
    for kind, encodes in (("video", videos), ("audio", audios)):
        for item in encodes:
            problems += [f"unknown {key}" for key in item if key not in _KEYS[kind]]
            if item.get("bypass") is not True and not (item.get("codec") and item.get("bitrate", 0) > 0):
                problems.append(f"no bitrate in {item}")
            if "preset" in item and item["preset"] not in {"slower", "slow", "medium", "fast", "faster"}:
                problems.append(f"preset {item['preset']}")
    names = [item["name"] for item in (*videos, *audios)]
    files = [item["fileName"] for item in profile.get("playlists", [])]
    problems += ["twice"] * (len(set(names)) != len(names) or len(set(files)) != len(files))
    for playlist in profile.get("playlists", []):
        problems += [f"unknown {key}" for key in playlist if key not in _KEYS["playlist"]]
        problems += ["dot"] * (not re.fullmatch(r"[A-Za-z0-9_-]+", playlist["fileName"]))
        problems += ["empty"] * (not playlist["renditions"])
        for rendition in playlist["renditions"]:
            problems += [f"unknown {key}" for key in rendition if key not in _KEYS["rendition"]]
            problems += [f"{rendition} leads nowhere"] * any(
                rendition.get(key, names[0]) not in names for key in ("video", "audio")
            )
    return problems


def files(profile: dict[str, Any]) -> dict[str, list[str]]:
    return {item["fileName"]: [one["name"] for one in item["renditions"]] for item in profile["playlists"]}


def test_the_checker_knows_a_bad_profile() -> None:
    good = output_profile(REELS.rungs, audio=True)
    good["encodes"]["videos"][0]["preset"] = "ultrafast"
    good["playlists"][0]["options"] = {}
    good["playlists"].append(good["playlists"][0])
    del good["encodes"]["audios"][0]["bitrate"]
    assert len(broken_rules(good)) >= 4


def test_a_profile_in_full() -> None:
    profile = output_profile(fit(REELS, 720, 1280)[1:], audio=True, framerate=29.97)
    sound = {
        "name": "aac_audio",
        "codec": "aac",
        "bitrate": 128000,
        "samplerate": 48000,
        "channel": 2,
        "bypassIfMatch": {"codec": "eq"},
    }
    pace = {"codec": "h264", "preset": "faster", "framerate": 29.97, "keyFrameInterval": 30}
    big = {"name": "480p", "video": "video_480p", "audio": "aac_audio"}
    small = {"name": "360p", "video": "video_360p", "audio": "aac_audio"}
    assert profile == {
        "name": "ladder",
        "outputStreamName": "${OriginStreamName}",
        "encodes": {
            "videos": [
                {"name": "video_480p", "bitrate": 1496000, "width": 480, "height": 852, **pace},
                {"name": "video_360p", "bitrate": 900000, "width": 360, "height": 640, **pace},
            ],
            "audios": [sound],
        },
        "playlists": [
            {"name": "master", "fileName": "master", "renditions": [big, small]},
            {"name": "max-360p", "fileName": "max-360p", "renditions": [small]},
            {"name": "llhls", "fileName": "llhls", "renditions": [small]},
        ],
    }


def test_no_sound_means_no_sound_anywhere() -> None:
    assert "audio" not in str(output_profile(REELS.rungs, audio=False))


def test_without_a_rate_ome_decides() -> None:
    (video, *_) = output_profile(REELS.rungs, audio=True)["encodes"]["videos"]
    assert not {"framerate", "keyFrameInterval"} & video.keys()


def test_caps_of_dropped_rungs_have_their_playlists_too() -> None:
    rungs = fit(REELS, 640, 360)
    assert files(output_profile(rungs, audio=True, ladder=REELS)) == {
        "master": ["360p"],
        "max-480p": ["360p"],
        "max-360p": ["360p"],
        "llhls": ["360p"],
    }


def test_no_playlist_is_ever_empty() -> None:
    assert playlists(REELS.rungs[:1], ladder=REELS)["max-360p"] == REELS.rungs[:1]


def test_the_full_playlist_may_have_any_name() -> None:
    assert list(playlists(REELS.rungs, "llhls")) == ["llhls", "max-480p", "max-360p"]
    assert len(playlists(REELS.rungs, "llhls")["llhls"]) == 3


@given(ladders(), SIDES, SIDES, st.booleans(), st.one_of(st.none(), st.floats(1, 240)))
def test_every_profile_is_valid_and_holds_whatever_a_viewer_may_be_sent_to(
    ladder: Ladder, width: int, height: int, audio: bool, rate: float | None
) -> None:
    rungs = fit(ladder, width, height)
    profile = output_profile(rungs, audio=audio, framerate=rate, ladder=ladder)
    assert broken_rules(profile) == []
    made = playlists(rungs, ladder=ladder)
    for source, quality in itertools.product((ladder, Ladder(rungs)), QUALITIES):
        held = made[source.playlist(quality)]
        limit = 10**6 if quality == "auto" else int(quality[:-1])
        assert all(rung.short_side <= limit for rung in held) or held == rungs[-1:]
    assert made["llhls"] == rungs[-1:]
    assert made["master"] == rungs


def test_the_bypass_profile_is_valid_and_encodes_nothing() -> None:
    assert broken_rules(bypass_profile()) == []
    assert "codec" not in str(bypass_profile())
