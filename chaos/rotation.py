"""`python -m chaos.rotation`: the service token, the CDN's key and the webhooks' secret are rotated under load.

As operators do it, in four steps: the new secret is announced, used, and the old one let go, each by exchanging every
process. Senders of uploads, the edge and the receiver of deliveries move on between the steps, as they do elsewhere.
Exit 0 only when nobody was refused.
"""

import asyncio
import sys
import time
from base64 import b64encode, urlsafe_b64encode
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory

import aiohttp
import msgspec
import uvloop
from aiohttp import web
from standardwebhooks.webhooks import Webhook, WebhookVerificationError

from bench.figures import Figure, note, report
from chaos.rolling import Installation, Release, counted, loaded
from chaos.rolling_clients import Balancer, Crowd
from chaos.soak_world import surroundings, tell_tracebacks
from streaming_service.devkit.emulators import ComponentMissing
from streaming_service.domain.clock import to_wire
from streaming_service.domain.signing.cloud_cdn import CloudCdnSigner
from streaming_service.domain.signing.keyring import Keyring, SigningKey
from streaming_service.domain.signing.scheme import Verdict

_TTL = 10
_OLD_TOKEN, _NEW_TOKEN = "rotation-old", "rotation-new"
_OLD_KEY, _NEW_KEY = SigningKey("old", b"o" * 16), SigningKey("new", b"n" * 16)
_OLD_HOOK, _NEW_HOOK = (f"whsec_{b64encode(name * 32).decode()}" for name in (b"o", b"n"))


class Edge:
    """Lets in what is signed with a key that it knows."""

    def __init__(self) -> None:
        self.seen = 0
        self._signer = CloudCdnSigner(Keyring(_OLD_KEY))

    def learn(self, ring: Keyring) -> None:
        self._signer = CloudCdnSigner(ring)

    def check(self, body: bytes) -> str | None:
        """What an edge says to a viewer who goes where the answer leads."""
        self.seen += 1
        verdict = self._signer.verify(msgspec.json.decode(body)["manifestUrl"], int(time.time()))
        return None if verdict is Verdict.VALID else f"the edge says {verdict.value}"


class Receiver:
    """Takes deliveries that are signed with its one secret."""

    def __init__(self) -> None:
        self.secret = _OLD_HOOK
        self.taken = self.refused = 0

    async def handle(self, request: web.Request) -> web.Response:
        try:
            Webhook(self.secret).verify(await request.read(), dict(request.headers))
        except WebhookVerificationError:
            self.refused += 1
            return web.Response(status=401)
        self.taken += 1
        return web.Response(status=204)


def steps(now: float) -> list[dict[str, str]]:
    """What the processes are configured with, one step after the other."""
    later = to_wire(datetime.fromtimestamp(now + 3600, UTC))
    old, new = _text(_OLD_KEY), _text(_NEW_KEY)
    both = {"SERVICE_AUTH_TOKEN": f"{_OLD_TOKEN},{_NEW_TOKEN}", "WEBHOOK_SIGNING_SECRET": f"{_OLD_HOOK},{_NEW_HOOK}"}
    before = {"CDN_SIGNING_KEY_ID": "old", "CDN_SIGNING_SECRET": old}
    after = {"CDN_SIGNING_KEY_ID": "new", "CDN_SIGNING_SECRET": new}
    announced = {"CDN_SIGNING_NEXT_KEY_ID": "new", "CDN_SIGNING_NEXT_SECRET": new}
    return [
        {"SERVICE_AUTH_TOKEN": _OLD_TOKEN, "WEBHOOK_SIGNING_SECRET": _OLD_HOOK, **before},
        {**both, **before, **announced},
        {**both, **after, "CDN_SIGNING_RETIRED_KEYS": f"old={old}@{later}"},
        {"SERVICE_AUTH_TOKEN": _NEW_TOKEN, "WEBHOOK_SIGNING_SECRET": _NEW_HOOK, **after},
    ]


def _text(key: SigningKey) -> str:
    return urlsafe_b64encode(key.secret).decode()


async def measure(folder: Path) -> list[Figure]:
    """Raises ComponentMissing, or TimeoutError when something does not get ready."""
    log, edge, receiver = folder / "processes.log", Edge(), Receiver()
    limits = aiohttp.TCPConnector(limit=0)
    runner = await _listening(receiver)
    async with surroundings(folder) as around, aiohttp.ClientSession(connector=limits) as session:
        env = {**around.env, "EVENT_SOURCE": "push", "SIGNED_URL_TTL_SECONDS": str(_TTL)}
        env["CONTENT_SERVICE_CALLBACK_URL"] = f"http://127.0.0.1:{runner.addresses[0][1]}/callback"
        first, announced, used, alone = (Release({**env, **step}, None, log) for step in steps(time.time()))
        balancer = Balancer(session)
        installation, crowd = Installation(balancer), Crowd(session, balancer)
        crowd.token, crowd.check = _OLD_TOKEN, edge.check
        looking = asyncio.create_task(balancer.look())
        try:
            await installation.install(first)
            async with loaded(crowd):
                edge.learn(Keyring(_OLD_KEY, next=_NEW_KEY))
                await installation.exchange(announced)
                crowd.token, receiver.secret = _NEW_TOKEN, _NEW_HOOK
                await installation.exchange(used)
                await asyncio.sleep(_TTL)
                edge.learn(Keyring(_NEW_KEY))
                await installation.exchange(alone)
            figures = await counted("rotation", crowd, installation, around.dsn)
        finally:
            looking.cancel()
            await installation.end()
            tell_tracebacks(log)
    await runner.cleanup()
    note(f"the edge was shown {edge.seen} URLs, the receiver took {receiver.taken} deliveries")
    return [
        *figures,
        Figure("rotation_deliveries_taken", receiver.taken, 10, at_least=True),
        Figure("rotation_deliveries_refused", receiver.refused, 0, at_least=False),
    ]


async def _listening(receiver: Receiver) -> web.AppRunner:
    app = web.Application()
    app.router.add_post("/callback", receiver.handle)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    return runner


def main() -> int:
    try:
        with TemporaryDirectory(prefix="rotation-") as folder:
            figures = uvloop.run(measure(Path(folder)))
    except (ComponentMissing, TimeoutError, RuntimeError) as problem:
        print(str(problem) or "something did not get ready", file=sys.stderr)
        return 2
    report(figures)
    return 0 if all(figure.met for figure in figures) else 1


if __name__ == "__main__":
    sys.exit(main())
