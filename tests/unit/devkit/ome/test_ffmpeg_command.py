"""The ffmpeg command line."""

from pathlib import Path

import pytest

from streaming_service.devkit.media import MediaFacts
from streaming_service.devkit.ome.ffmpeg_command import arguments, encoded_size
from streaming_service.domain.ladder import parse_ladder

LADDER = parse_ladder("480p|854x480|1200,360p|640x360|700")


@pytest.mark.parametrize(
    ("asked", "made"), [((854, 480), (856, 480)), ((406, 721), (408, 724)), ((480, 854), (480, 856))]
)
def test_encoded_size(asked: tuple[int, int], made: tuple[int, int]) -> None:
    assert encoded_size(*asked) == made


def test_one_run_for_all_rungs_and_the_sound() -> None:
    facts = MediaFacts(duration=6, width=640, height=360)

    command = arguments(Path("in.mp4"), Path("out"), LADDER, facts, 2.0)

    assert command.count("-i") == 1
    assert command.count("0:V:0") == 2
    assert "scale=856:480,setsar=1" in command
    assert "v:0,agroup:audio v:1,agroup:audio a:0,agroup:audio" in command


def test_without_sound() -> None:
    command = arguments(Path("in"), Path("out"), LADDER, MediaFacts(duration=6, width=2, height=2, audio=False), 2.0)

    assert "v:0 v:1" in command
    assert "aac" not in command
