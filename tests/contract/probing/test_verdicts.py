"""Each verdict, provoked at the development edge and the stand-in OME over real HTTP."""

import re
import time
from pathlib import Path

import pytest

from streaming_service.devkit.faults import Fault, FaultProxy, Mode
from streaming_service.domain.probe import ProbeVerdict
from streaming_service.domain.probe_journey import Finding
from tests.contract.probing.conftest import Stage

pytestmark = pytest.mark.anyio


def is_master(path: str) -> bool:
    return path.endswith("/master.m3u8")


def is_chunklist(path: str) -> bool:
    return path.endswith(".m3u8") and not is_master(path)


def is_segment(path: str) -> bool:
    return "/seg_" in path


def seen(finding: Finding) -> tuple[ProbeVerdict, int | None]:
    return finding.verdict, finding.status


async def test_what_plays_is_ok(stage: Stage) -> None:
    finding = await stage.probe()
    assert seen(finding) == (ProbeVerdict.OK, 200), finding
    assert 0 < finding.latency_ms < 2000
    kinds = [entry.path.rpartition("/")[2].partition("_")[0] for entry in stage.edge.recent]
    assert kinds == ["master.m3u8", "chunklist", "init", "seg"]


async def test_a_live_playlist_that_advances_is_ok_also_to_the_patient(stage: Stage) -> None:
    finding = await stage.probe(patient=True)
    assert finding.verdict is ProbeVerdict.OK, finding
    assert finding.latency_ms < 1000, "the pauses between two looks do not count"
    assert sum(is_chunklist(entry.path) for entry in stage.edge.recent) >= 2


async def test_a_published_copy_is_ok_and_never_stale(stage: Stage) -> None:
    write_copy(stage.vod / "vod/reels/ss-film-1")
    for _ in range(2):
        finding = await stage.probe(path="/vod/reels/ss-film-1/", patient=True)
        assert finding.verdict is ProbeVerdict.OK, finding


async def test_a_copy_without_a_file_has_a_gap(stage: Stage) -> None:
    folder = stage.vod / "vod/reels/ss-film-1"
    write_copy(folder)
    (folder / "seg-0.m4s").unlink()
    finding = await stage.probe(path="/vod/reels/ss-film-1/")
    assert seen(finding) == (ProbeVerdict.GAP, 404), finding


# -- on the way to the edge ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("fault", "verdict", "status"),
    [
        (Fault(mode=Mode.REFUSE), ProbeVerdict.UNREACHABLE, None),
        (Fault(mode=Mode.RESET), ProbeVerdict.UNREACHABLE, None),
        (Fault(mode=Mode.BLACKHOLE), ProbeVerdict.UNREACHABLE, None),
        (Fault(mode=Mode.GARBAGE), ProbeVerdict.UNREACHABLE, None),
        (Fault(mode=Mode.TRUNCATE, after=300), ProbeVerdict.UNREACHABLE, 200),
        (Fault(mode=Mode.DRIP, rate=500), ProbeVerdict.SLOW, 200),
        (Fault(mode=Mode.LATENCY, delay=1.0), ProbeVerdict.SLOW, 200),
        (Fault(mode=Mode.STATUS, status=503), ProbeVerdict.HTTP_ERROR, 503),
        (Fault(mode=Mode.STATUS, status=401), ProbeVerdict.SIGNATURE_REJECTED, 401),
        (Fault(mode=Mode.REDIRECT), ProbeVerdict.HTTP_ERROR, 302),
    ],
    ids=lambda item: item.mode.value if isinstance(item, Fault) else None,
)
async def test_what_a_network_does(
    stage: Stage, proxied: FaultProxy, fault: Fault, verdict: ProbeVerdict, status: int | None
) -> None:
    assert (await stage.probe(edge=proxied.url)).verdict is ProbeVerdict.OK
    await proxied.become(fault)
    began = time.monotonic()
    finding = await stage.probe(edge=proxied.url, limit=1.5)
    assert seen(finding) == (verdict, status), finding
    assert time.monotonic() - began < 6
    await proxied.become(Fault())
    assert (await stage.probe(edge=proxied.url)).verdict is ProbeVerdict.OK


# -- signatures ------------------------------------------------------------------------------------------------------


async def test_an_expired_signature_is_rejected(stage: Stage) -> None:
    finding = await stage.probe(expires=-1)
    assert seen(finding) == (ProbeVerdict.SIGNATURE_REJECTED, 403), finding


async def test_a_signature_for_another_host_is_rejected(stage: Stage) -> None:
    finding = await stage.probe(edge=stage.edge.url, base="http://cdn.test")
    assert seen(finding) == (ProbeVerdict.SIGNATURE_REJECTED, 403), finding


# -- what the edge gives ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("which", "body", "verdict"),
    [
        (is_master, b"<html>maintenance</html>", ProbeVerdict.MALFORMED),
        (is_master, b"", ProbeVerdict.MALFORMED),
        (is_master, b"#EXTM3U\n#EXTINF:2,\nseg.m4s\n", ProbeVerdict.MALFORMED),
        (is_master, b"#EXTM3U\n#EXT-X-STREAM-INF:BANDWIDTH=x\nchunk.m3u8\n", ProbeVerdict.MALFORMED),
        (is_chunklist, b"#EXTM3U\n#EXT-X-TARGETDURATION:2\n", ProbeVerdict.MALFORMED),
        (is_chunklist, b"#EXTM3U\n#EXT-X-STREAM-INF:BANDWIDTH=1\nchunk.m3u8\n", ProbeVerdict.MALFORMED),
        (is_segment, b"", ProbeVerdict.MALFORMED),
        (is_master, 404, ProbeVerdict.HTTP_ERROR),
        (is_chunklist, 404, ProbeVerdict.HTTP_ERROR),
        (is_segment, 404, ProbeVerdict.GAP),
        (is_segment, 500, ProbeVerdict.HTTP_ERROR),
    ],
)
async def test_what_an_origin_may_answer(stage: Stage, which: object, body: bytes | int, verdict: ProbeVerdict) -> None:
    assert callable(which)
    stage.middleman.spoil = lambda path, found: body if which(path) else found
    finding = await stage.probe()
    assert finding.verdict is verdict, finding


async def test_a_missing_rung_is_incomplete_and_named(stage: Stage) -> None:
    def without_480p(path: str, body: bytes) -> bytes:
        return re.sub(rb"#EXT-X-STREAM-INF:[^\n]*x480[^\n]*\n[^\n]*\n", b"", body) if is_master(path) else body

    stage.middleman.spoil = without_480p
    finding = await stage.probe()
    assert (finding.verdict, finding.detail) == (ProbeVerdict.INCOMPLETE, "the manifest lacks 480p")


async def test_a_playlist_that_says_it_has_a_gap(stage: Stage) -> None:
    def with_gap(path: str, body: bytes) -> bytes:
        return body.replace(b"#EXTINF", b"#EXT-X-GAP\n#EXTINF") if is_chunklist(path) else body

    stage.middleman.spoil = with_gap
    assert (await stage.probe()).verdict is ProbeVerdict.GAP


async def test_a_hole_in_the_time_line_is_a_gap(stage: Stage) -> None:
    def without_the_middle(path: str, body: bytes) -> bytes:
        if not is_chunklist(path):
            return body
        entries = re.findall(rb"#EXT-X-PROGRAM-DATE-TIME[^\n]*\n#EXTINF[^\n]*\n[^\n]*\n", body)
        for entry in entries[1:-1]:
            body = body.replace(entry, b"")
        return body

    stage.middleman.spoil = without_the_middle
    deadline = time.monotonic() + 10
    # Until there are enough segments that the lack of those in the middle is more than a seam.
    while (finding := await stage.probe(patient=True)).verdict is ProbeVerdict.OK and time.monotonic() < deadline:
        pass
    assert finding.verdict is ProbeVerdict.GAP, finding
    assert "missing in the playlist" in finding.detail


async def test_a_playlist_that_stands_still_is_stale_at_the_second_look(stage: Stage) -> None:
    frozen: dict[str, bytes] = {}

    def freeze(path: str, body: bytes) -> bytes:
        return frozen.setdefault(path, body) if is_chunklist(path) else body

    stage.middleman.spoil = freeze
    assert (await stage.probe()).verdict is ProbeVerdict.OK, "one look says nothing"
    began = time.monotonic()
    finding = await stage.probe(patient=True)
    assert finding.verdict is ProbeVerdict.STALE, finding
    assert time.monotonic() - began < 6
    assert (await stage.probe()).verdict is ProbeVerdict.STALE, "it is remembered"
    stage.middleman.spoil = lambda _, body: body
    stage.edge.purge("/*")
    assert (await stage.probe()).verdict is ProbeVerdict.OK


async def test_a_playlist_that_begins_anew_has_a_gap(stage: Stage) -> None:
    def later(path: str, body: bytes) -> bytes:
        return re.sub(rb"MEDIA-SEQUENCE:(\d+)", b"MEDIA-SEQUENCE:1000", body) if is_chunklist(path) else body

    stage.middleman.spoil = later
    assert (await stage.probe()).verdict is ProbeVerdict.OK
    stage.middleman.spoil = lambda _, body: body
    stage.edge.purge("/*")
    assert (await stage.probe()).verdict is ProbeVerdict.GAP


@pytest.mark.parametrize(
    "uri", [b"http://elsewhere.invalid/chunk.m3u8", b"//elsewhere.invalid/chunk.m3u8", b"http://[x/"]
)
async def test_an_answer_does_not_choose_the_next_host(stage: Stage, uri: bytes) -> None:
    def astray(path: str, body: bytes) -> bytes:
        return re.sub(rb"\nchunklist_\d_video[^\n]*", b"\n" + uri, body) if is_master(path) else body

    stage.middleman.spoil = astray
    finding = await stage.probe()
    assert finding.verdict is ProbeVerdict.MALFORMED, finding
    assert not any("elsewhere" in path for path in stage.middleman.asked)


async def test_edges_that_do_not_hand_the_grant_on_get_it_from_the_prober(stage: Stage) -> None:
    """Google Cloud CDN serves playlists as they are: relative URIs do not inherit a query."""
    journey = stage.journey(base=stage.middleman.url)
    assert (await stage.prober.follow(journey)).verdict is ProbeVerdict.OK
    assert len(stage.middleman.asked) == 4
    assert all(entry.endswith(f"?{journey.grant}") for entry in stage.middleman.asked)


async def test_a_secret_stays_out_of_what_is_told(stage: Stage, proxied: FaultProxy) -> None:
    for fault in (Mode.REFUSE, Mode.GARBAGE, Mode.TRUNCATE, Mode.REDIRECT):
        await proxied.become(Fault(mode=fault, after=10))
        detail = (await stage.probe(edge=proxied.url)).detail
        assert detail
        assert "Signature" not in detail
        assert "?" not in detail


def write_copy(folder: Path) -> None:
    """A VOD copy of two segments in three renditions."""
    folder.mkdir(parents=True)
    lines = ["#EXTM3U"]
    for name, size in (("720", "1280x720"), ("480", "856x480"), ("360", "640x360")):
        lines += [f"#EXT-X-STREAM-INF:BANDWIDTH={name}000,RESOLUTION={size}", f"{name}.m3u8"]
        media = '#EXTM3U\n#EXT-X-TARGETDURATION:2\n#EXT-X-MAP:URI="init.m4s"\n'
        media += "".join(f"#EXTINF:2.0,\nseg-{number}.m4s\n" for number in range(2)) + "#EXT-X-ENDLIST\n"
        (folder / f"{name}.m3u8").write_text(media)
    (folder / "master.m3u8").write_text("\n".join(lines) + "\n")
    for file in ("init.m4s", "seg-0.m4s", "seg-1.m4s"):
        (folder / file).write_bytes(b"media")
