"""Through the address of an edge: where the connection goes, and whose name it bears."""

import asyncio
import ssl
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from aiohttp import web
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from streaming_service.adapters.clock import WallClock
from streaming_service.adapters.probing.prober import HttpProber
from streaming_service.adapters.transport import AiohttpTransport
from streaming_service.domain.ladder import parse_ladder
from streaming_service.domain.probe import ProbeVerdict, Target
from streaming_service.domain.probe_journey import Journey
from tests.unit.adapters.servers import serving

pytestmark = pytest.mark.anyio

JOURNEY = Journey(
    url="https://cdn.test:8443/reels/ss-1/master.m3u8",
    grant="Signature=s",
    target=Target.PRIMARY,
    rungs=parse_ladder("720p|1280x720|2500").rungs,
    timeout=2.0,
)


async def follow(edge: str) -> tuple[ProbeVerdict, str]:
    async with AiohttpTransport() as transport:
        finding = await HttpProber(transport, clock=WallClock(), monotonic=time.monotonic).follow(JOURNEY, edge)
        return finding.verdict, finding.detail


async def test_the_request_names_the_cdn_and_goes_to_the_edge() -> None:
    asked: list[tuple[str, str]] = []
    bodies = {
        "master.m3u8": "#EXTM3U\n#EXT-X-STREAM-INF:BANDWIDTH=1,RESOLUTION=1280x720\n/reels/ss-1/v.m3u8\n",
        # Absolute, as some packagers write: it leads to the CDN, so it goes through the edge, too.
        "v.m3u8": "#EXTM3U\n#EXTINF:2,\nhttps://cdn.test:8443/reels/ss-1/seg.m4s\n#EXT-X-ENDLIST\n",
        "seg.m4s": "media",
    }

    async def edge(request: web.Request) -> web.Response:
        asked.append((request.headers["host"], request.path_qs))
        return web.Response(text=bodies[request.path.rpartition("/")[2]])

    async with serving(edge) as url:
        assert await follow(url) == (ProbeVerdict.OK, "")
    assert asked == [("cdn.test:8443", f"/reels/ss-1/{name}?Signature=s") for name in bodies]


async def test_the_handshake_asks_for_the_cdns_certificate(tmp_path: Path) -> None:
    names: list[str | None] = []
    context = _certificate(tmp_path, "cdn.test")
    context.sni_callback = lambda _, name, __: names.append(name)

    async def never(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.close()

    server = await asyncio.start_server(never, "127.0.0.1", 0, ssl=context)
    async with server:
        port = server.sockets[0].getsockname()[1]
        verdict, detail = await follow(f"https://127.0.0.1:{port}")
    assert names == ["cdn.test"]
    assert (verdict, detail) == (ProbeVerdict.UNREACHABLE, "manifest: the TLS handshake failed"), (
        "nobody vouches for it"
    )


def _certificate(folder: Path, name: str) -> ssl.SSLContext:
    """A server's context with a certificate that it signed itself."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(name)]), critical=False)
        .sign(key, hashes.SHA256())
    )
    (folder / "cert.pem").write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    encoding, form = serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8
    (folder / "key.pem").write_bytes(key.private_bytes(encoding, form, serialization.NoEncryption()))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(folder / "cert.pem", folder / "key.pem")
    return context
