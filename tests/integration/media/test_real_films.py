"""Films as ffmpeg writes them."""

from pathlib import Path

import pytest

from streaming_service.adapters.media import DirectoryReader, MediaInspector
from streaming_service.application.ports import MediaFacts
from streaming_service.devkit.media import run_ffmpeg

pytestmark = [pytest.mark.anyio, pytest.mark.ffmpeg]

PICTURE = ("-f", "lavfi", "-i", "testsrc2=size=320x180:rate=25")
TONE = ("-f", "lavfi", "-i", "sine=frequency=440:sample_rate=48000")
H264 = ("-c:v", "libx264", "-preset", "ultrafast", "-pix_fmt", "yuv420p")
TWO_SECONDS = ("-t", "2")


async def made(films: Path, name: str, *arguments: str) -> Path:
    path = films / name
    if not path.exists():
        await run_ffmpeg(["-loglevel", "error", "-y", *arguments, str(path)])
    return path


async def inspected(path: Path) -> MediaFacts | None:
    return await MediaInspector(DirectoryReader({"uploads": path.parent})).inspect(f"gs://uploads/{path.name}")


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("plain.mp4", ()),
        ("faststart.mp4", ("-movflags", "+faststart")),
        ("quicktime.mov", ()),
        ("apple.m4v", ()),
        ("phone.3gp", ("-f", "3gp")),
    ],
)
async def test_picture_and_sound_of_two_seconds(films: Path, name: str, options: tuple[str, ...]) -> None:
    path = await made(films, name, *PICTURE, *TONE, *TWO_SECONDS, *H264, "-c:a", "aac", *options)
    facts = await inspected(path)

    assert facts is not None
    assert (facts.video, facts.audio, facts.width, facts.height) == (True, True, 320, 180)
    assert facts.duration == pytest.approx(2.0, abs=0.1)


async def test_a_fragmented_film(films: Path) -> None:
    fragments = ("-movflags", "+frag_keyframe+empty_moov+default_base_moof")
    facts = await inspected(
        await made(films, "fragmented.mp4", *PICTURE, *TONE, *TWO_SECONDS, *H264, "-c:a", "aac", *fragments)
    )

    assert facts is not None
    assert (facts.video, facts.audio, facts.width, facts.height) == (True, True, 320, 180)


async def test_a_film_without_sound(films: Path) -> None:
    facts = await inspected(await made(films, "silent.mp4", *PICTURE, *TWO_SECONDS, *H264))

    assert facts is not None
    assert (facts.video, facts.audio) == (True, False)


async def test_sound_without_a_picture(films: Path) -> None:
    facts = await inspected(await made(films, "sound.m4a", *TONE, *TWO_SECONDS, "-c:a", "aac"))

    assert facts is not None
    assert (facts.video, facts.audio, facts.width, facts.height) == (False, True, None, None)


@pytest.mark.parametrize(("degrees", "sides"), [("90", (180, 320)), ("180", (320, 180)), ("270", (180, 320))])
async def test_a_film_that_is_stored_turned(films: Path, degrees: str, sides: tuple[int, int]) -> None:
    lying = await made(films, "silent.mp4", *PICTURE, *TWO_SECONDS, *H264)
    turned = ("-display_rotation", degrees, "-i", str(lying), "-c", "copy")
    facts = await inspected(await made(films, f"turned-{degrees}.mp4", *turned))

    assert facts is not None
    assert (facts.width, facts.height) == sides


async def test_pixels_that_are_not_square_count_as_they_are_shown(films: Path) -> None:
    wide = (*PICTURE, *TWO_SECONDS, "-vf", "scale=240:180,setsar=4/3", *H264)
    facts = await inspected(await made(films, "anamorphic.mp4", *wide))

    assert facts is not None
    assert (facts.width, facts.height) == (320, 180)


@pytest.mark.parametrize(
    ("name", "options"),
    [("film.mkv", H264), ("film.ts", H264), ("film.avi", ("-c:v", "mpeg4")), ("film.flv", H264)],
)
async def test_other_containers_are_not_known(films: Path, name: str, options: tuple[str, ...]) -> None:
    assert await inspected(await made(films, name, *PICTURE, *TWO_SECONDS, *options)) is None


async def test_a_film_whose_upload_was_cut_off_is_not_known(films: Path) -> None:
    whole = await made(films, "plain.mp4", *PICTURE, *TONE, *TWO_SECONDS, *H264, "-c:a", "aac")
    cut = films / "cut.mp4"
    cut.write_bytes(whole.read_bytes()[:-2000])

    assert await inspected(cut) is None
