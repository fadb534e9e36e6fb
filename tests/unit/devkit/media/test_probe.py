"""Reading what ffmpeg says about a file."""

from streaming_service.devkit.media.probe import MediaFacts, parse_facts

WITH_SOUND = """\
Input #0, mov,mp4,m4a,3gp,3g2,mj2, from 'clip.mp4':
  Duration: 01:02:06.02, start: 0.000000, bitrate: 1079 kb/s
  Stream #0:0[0x1](und): Video: h264 (High) (avc1 / 0x31), yuv420p(tv, progressive), 1280x720 [SAR 1:1 DAR 16:9], \
979 kb/s, 29.97 fps, 29.97 tbr, 12800 tbn (default)
  Stream #0:1[0x2](und): Audio: aac (LC) (mp4a / 0x6134706D), 48000 Hz, stereo, fltp, 96 kb/s (default)
"""
COVER_ONLY = """\
  Duration: 00:00:10.00, start: 0.025057, bitrate: 192 kb/s
  Stream #0:0: Audio: mp3, 44100 Hz, stereo, fltp, 192 kb/s
  Stream #0:1: Video: mjpeg (Baseline), yuvj420p, 600x600, 90k tbr, 90k tbn (attached pic)
"""


def test_video_with_sound() -> None:
    assert parse_facts(WITH_SOUND) == MediaFacts(
        duration=3726.02, width=1280, height=720, framerate=29.97, bitrate_kbps=1079, audio=True
    )


def test_video_only() -> None:
    facts = parse_facts("\n".join(WITH_SOUND.splitlines()[:3]))

    assert facts
    assert (facts.video, facts.audio) == (True, False)


def test_a_cover_picture_is_no_video() -> None:
    facts = parse_facts(COVER_ONLY)

    assert facts
    assert (facts.video, facts.audio) == (False, True)


def test_no_media() -> None:
    assert parse_facts("notes.txt: Invalid data found when processing input") is None
