"""VOD copies through the stand-in edge: from a folder, behind the same door as what comes from OME."""

from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping
from pathlib import Path

import pytest
from aiohttp import ClientSession
from yarl import URL

from streaming_service.devkit.edge import StandInEdge
from streaming_service.domain.signing.cloud_cdn import CloudCdnSigner
from streaming_service.domain.signing.keyring import Keyring, SigningKey

pytestmark = pytest.mark.anyio

NOW = 1_000_000
SIGNER = CloudCdnSigner(Keyring(SigningKey("primary", bytes(16))))
COPY = "/vod/reels/s-1/"
PLAYLIST = '#EXTM3U\n#EXT-X-MAP:URI="init_0.m4s"\n#EXTINF:2,\nseg_0.m4s\n#EXT-X-ENDLIST\n'
NOWHERE = "http://127.0.0.1:9"  # nothing may be asked of OME

Get = Callable[..., Awaitable[tuple[int, bytes, Mapping[str, str]]]]


@pytest.fixture
def bucket(tmp_path: Path) -> Path:
    folder = tmp_path / "bucket" / COPY.strip("/")
    folder.mkdir(parents=True)
    (folder / "chunklist_0.m3u8").write_text(PLAYLIST)
    (folder / "seg_0.m4s").write_bytes(b"0123456789")
    (folder / "info.xml").write_bytes(b"<xml/>")
    (tmp_path / "secret").write_bytes(b"secret")
    (folder / "link").symlink_to(tmp_path / "secret")
    (tmp_path / "bucket" / "other").mkdir()
    (tmp_path / "bucket" / "other" / "seg_0.m4s").write_bytes(b"other")
    return tmp_path / "bucket"


@pytest.fixture
async def edge(bucket: Path) -> AsyncGenerator[StandInEdge]:
    async with StandInEdge(NOWHERE, SIGNER.verify, now=lambda: NOW, bucket_dir=bucket) as running:
        yield running


@pytest.fixture
async def get(edge: StandInEdge) -> AsyncGenerator[Get]:
    async with ClientSession() as session:

        async def _get(
            path: str, headers: Mapping[str, str] | None = None, method: str = "GET"
        ) -> tuple[int, bytes, Mapping[str, str]]:
            async with session.request(method, URL(edge.url + path, encoded=True), headers=headers) as answer:
                return answer.status, await answer.read(), {key.lower(): value for key, value in answer.headers.items()}

        yield _get


def grant(edge: StandInEdge, prefix: str = COPY) -> str:
    return SIGNER.sign(edge.public_base_url + prefix, NOW + 300).query


def signed(edge: StandInEdge, name: str) -> str:
    return f"{COPY}{name}?{grant(edge)}"


@pytest.mark.parametrize("name", ["chunklist_0.m3u8", "seg_0.m4s", "missing"])
async def test_without_a_signature_nothing_is_given(get: Get, name: str) -> None:
    assert (await get(COPY + name))[:2] == (403, b"403 unsigned\n")


async def test_a_playlist_is_kept_shortly_and_hands_its_grant_on(edge: StandInEdge, get: Get) -> None:
    status, body, headers = await get(signed(edge, "chunklist_0.m3u8"))

    assert status == 200
    assert body.decode() == PLAYLIST.replace("init_0.m4s", f"init_0.m4s?{grant(edge)}").replace(
        "seg_0.m4s", f"seg_0.m4s?{grant(edge)}"
    )
    assert headers["content-type"] == "application/vnd.apple.mpegurl"
    assert headers["cache-control"] == "public, max-age=60"
    assert headers["access-control-allow-origin"] == "*"
    assert (await get(COPY + body.decode().splitlines()[-2]))[:2] == (200, b"0123456789")


async def test_a_segment_is_kept_for_ever(edge: StandInEdge, get: Get) -> None:
    status, body, headers = await get(signed(edge, "seg_0.m4s"))

    assert (status, body) == (200, b"0123456789")
    assert headers["content-type"] == "video/mp4"
    assert headers["cache-control"] == "public, max-age=31536000, immutable"
    assert headers["access-control-allow-origin"] == "*"
    assert (await get(signed(edge, "info.xml")))[2]["content-type"] == "application/octet-stream"


@pytest.mark.parametrize(
    ("wanted", "status", "body", "range_"),
    [
        ("bytes=2-4", 206, b"234", "bytes 2-4/10"),
        ("bytes=8-", 206, b"89", "bytes 8-9/10"),
        ("bytes=-3", 206, b"789", "bytes 7-9/10"),
        ("bytes=20-", 416, None, "bytes */10"),
    ],
)
async def test_a_range_of_a_segment(
    edge: StandInEdge, get: Get, wanted: str, status: int, body: bytes | None, range_: str
) -> None:
    found = await get(signed(edge, "seg_0.m4s"), {"range": wanted})

    assert found[0] == status
    assert body is None or found[1] == body
    assert found[2]["content-range"] == range_


@pytest.mark.parametrize("name", ["chunklist_0.m3u8", "seg_0.m4s"])
async def test_head_is_answered_without_a_body(edge: StandInEdge, get: Get, name: str) -> None:
    status, body, headers = await get(signed(edge, name), method="HEAD")

    assert (status, body) == (200, b"")
    assert "max-age" in headers["cache-control"]


@pytest.mark.parametrize(
    "name", ["missing.m4s", "missing.m3u8", "", "link", "%00", "seg_0.m4s/", "seg_0.m4s/x", "/seg_0.m4s", "a" * 300]
)
async def test_what_is_no_file_of_the_bucket_is_not_found(edge: StandInEdge, get: Get, name: str) -> None:
    status, body, headers = await get(signed(edge, name))

    assert (status, body) == (404, b"404 not in the bucket\n")
    assert "cache-control" not in headers


async def test_a_grant_for_one_copy_does_not_open_its_neighbour(edge: StandInEdge, get: Get) -> None:
    assert (await get(f"/vod/reels/s-2/seg_0.m4s?{grant(edge)}"))[0] == 403


@pytest.mark.parametrize("dots", ["..", "%2e%2e", "..%2f.."])
async def test_no_dots_lead_out_of_the_prefix(edge: StandInEdge, get: Get, dots: str) -> None:
    assert (await get(f"{COPY}{dots}/seg_0.m4s?{grant(edge)}"))[0] == 403


async def test_the_rest_still_comes_from_ome(edge: StandInEdge, get: Get) -> None:
    for prefix in ("/other/", "/reels/s-1/", "/vodka/s-1/"):
        assert (await get(f"{prefix}seg_0.m4s?{grant(edge, prefix)}"))[0] == 502


async def test_without_a_bucket_everything_comes_from_ome(bucket: Path) -> None:
    async with (
        StandInEdge(NOWHERE, SIGNER.verify, now=lambda: NOW) as edge,
        ClientSession() as session,
        session.get(URL(edge.url + signed(edge, "seg_0.m4s"), encoded=True)) as answer,
    ):
        assert answer.status == 502


async def test_what_is_replaced_is_seen_at_once_and_counted(edge: StandInEdge, get: Get, bucket: Path) -> None:
    await get(signed(edge, "seg_0.m4s"))
    (bucket / COPY.strip("/") / "seg_0.m4s").write_bytes(b"new")

    assert (await get(signed(edge, "seg_0.m4s")))[1] == b"new"
    assert [(request.path, request.status, request.cache) for request in edge.recent] == [
        (f"{COPY}seg_0.m4s", 200, "")
    ] * 2
