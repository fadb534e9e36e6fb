"""`python -m chaos.planted`: is a secret ever told? Each has a text of its own; then everything that leaves the service
is searched for them: its log at its most talkative, answers, metrics, pages, what it sends, and what commands print.

Exit 0 only when nothing was found. What has to show a secret is left out: the headers that carry tokens to whom they
are for, and the one answer that shows a new ingest key.
"""

import asyncio
import sys
from base64 import b64encode, urlsafe_b64encode
from collections.abc import AsyncGenerator, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from uuid import uuid4

import aiohttp
import uvloop

from bench.figures import Figure, note, report
from chaos.soak_world import Surroundings, start, surroundings
from streaming_service.devkit.emulators import ComponentMissing
from streaming_service.devkit.faults import Fault, Mode

_PATIENCE = 60.0
_MODES = (Mode.REFUSE, Mode.GARBAGE, Mode.RESET)
_CLI = "streaming_service.entrypoints.cli"
_COMMANDS = (
    ("config", "check"),
    ("config", "check", "--json"),
    ("channels", "list", "--json"),
    ("deliveries", "list"),
    ("deliveries", "list", "--json"),
    ("dead-letters", "list"),
    ("failover", "list"),
    ("origins", "list", "--json"),
    ("db", "status"),
)
_PATHS = (
    "/metrics",
    "/openapi.json",
    "/docs",
    "/health",
    "/readyz",
    "/internal/qos",
    "/v1/admin/streams",
    "/v1/admin/deliveries",
    "/v1/admin/dead-letters",
    "/v1/admin/origins",
    "/v1/admin/failover",
    "/nowhere",
)


def _long(name: str) -> bytes:
    return f"planted-{name}".encode().ljust(32, b"-")[:32]


def planted() -> dict[str, str]:
    """Every secret setting, each with a text that stands nowhere else."""
    hooks = {name: f"whsec_{b64encode(_long(name)).decode()}" for name in ("hook", "agent")}
    keys = {name: urlsafe_b64encode(_long(name)[8:24]).decode() for name in ("cdnkey01", "nextkey2", "retired3")}
    return {
        "SERVICE_AUTH_TOKEN": "planted-service-token,planted-service-token-next",
        "METRICS_ACCESS_TOKEN": "planted-metrics-token",
        "OME_API_KEY": "planted-ome-key",
        "OME_API_SECRET": "planted-ome-secret",
        "OME_WEBHOOK_SECRET": "planted-ome-webhook-secret",
        "AUTH_SERVICE_INTERNAL_TOKEN": "planted-auth-token",
        "CONTENT_SERVICE_INTERNAL_TOKEN": "planted-content-token",
        "CDN_CONTROL_API_KEY": "planted-cdn-control-key",
        "CDN_SIGNING_SECRET": keys["cdnkey01"],
        "CDN_SIGNING_NEXT_SECRET": keys["nextkey2"],
        "CDN_SIGNING_RETIRED_KEYS": f"old={keys['retired3']}@2036-01-02T03:04:05Z",
        "CDN_CACHE_KEY_SECRET": "planted-cache-key-secret-of-32-ch",
        "WEBHOOK_SIGNING_SECRET": hooks["hook"],
        "PROBE_AGENT_SECRET": hooks["agent"],
    }


class Search:
    """Texts that must stand nowhere, and where they were found."""

    def __init__(self, secrets: Mapping[str, str]) -> None:
        self.searched = 0
        self.found: set[str] = set()
        texts = {name: value for name, value in secrets.items() if name != "CDN_SIGNING_RETIRED_KEYS"}
        self._texts = {part: name for name, value in texts.items() for part in value.split(",")}
        retired = secrets["CDN_SIGNING_RETIRED_KEYS"].partition("=")[2].partition("@")[0]
        self._texts[retired] = "CDN_SIGNING_RETIRED_KEYS"
        basic = b64encode(f"{secrets['OME_API_KEY']}:{secrets['OME_API_SECRET']}".encode()).decode()
        self._texts[basic] = "OME's Basic header"

    def plant(self, text: str, name: str) -> str:
        """One more that must not be told."""
        self._texts[text] = name
        return text

    def look(self, where: str, text: str) -> None:
        self.searched += len(text)
        for planted, name in self._texts.items():
            if planted in text:
                at = text.index(planted)
                self.found.add(f"{name} in {where}")
                note(f"{name} in {where}: …{text[max(0, at - 120) : at]}[here]")


class Visitor:
    """Asks for everything, rightly and wrongly, and has each answer searched."""

    def __init__(self, session: aiohttp.ClientSession, api: str, search: Search) -> None:
        self._session = session
        self._api = api
        self._search = search

    async def ask(self, method: str, path: str, token: str | None = None, body: object = None) -> tuple[int, str]:
        headers = {"authorization": f"Bearer {token}"} if token else {}
        async with self._session.request(method, self._api + path, headers=headers, json=body) as answer:
            text = await answer.text()
        if not path.endswith("/rotate-ingest"):
            self._search.look(f"the answer to {method} {path}", f"{dict(answer.headers)} {text}")
        return answer.status, text

    async def everything(self) -> None:
        """Each page with the right token, a wrong one and none."""
        right, wrong = "planted-service-token", self._search.plant("planted-wrong-token", "a wrong token")
        for path in _PATHS:
            for token in (right, "planted-metrics-token", wrong, None):
                await self.ask("GET", path, token)

    async def watch(self, content_id: str) -> int:
        """As viewers who may and who may not, with tokens that must not be told either."""
        path = f"/v1/streams/{content_id}/manifest"
        for token in (self._search.plant("planted-stranger", "a stranger's token"), None):
            await self.ask("GET", path, token)
        await self.ask("GET", f"{path}?quality=4k", "viewer-1")
        return (await self.ask("GET", path, "viewer-1"))[0]

    async def upload(self, content_id: str, **changes: object) -> int:
        body = {
            "contentId": content_id,
            "sourceGcsUri": "gs://uploads/clip.mp4",
            "checksum": "sha256:1",
            "contentType": "REEL",
            "durationSeconds": 8,
            **changes,
        }
        return (await self.ask("POST", "/v1/admin/streams/register", "planted-service-token", body))[0]

    async def operate(self, content_id: str) -> None:
        """Everything an operator can do with a content, the last of it for ever."""
        admin, token = f"/v1/admin/streams/{content_id}", "planted-service-token"
        await self.ask("GET", admin, token)
        await self.ask("GET", f"{admin}/events", token)
        _, shown = await self.ask("POST", f"{admin}/rotate-ingest", token)
        for key in _keys_in(shown):
            self._search.plant(key, "an ingest key")
        for action in ("purge", "replay", "nonsense"):
            await self.ask("POST", f"{admin}/{action}", token)
        await self.ask("GET", f"/internal/playback/{content_id}", token)
        await self.ask("POST", "/internal/probes/manifest", token, {"contentId": content_id})
        await self.ask("GET", admin, token)
        await self.ask("DELETE", admin, token)


def _keys_in(shown: str) -> list[str]:
    return [part.partition('"')[0] for part in shown.split('"streamKey":"')[1:]]


async def measure(folder: Path, modes: Sequence[Mode] = _MODES) -> list[Figure]:
    """`modes` are how everything around it breaks meanwhile.

    Raises ComponentMissing, or TimeoutError when something does not get ready.
    """
    secrets = planted()
    search = Search(secrets)
    async with surroundings(folder, "planted-ome-key:planted-ome-secret") as around:
        around.env.update(secrets, LOG_LEVEL="debug", HTTP_LINGER_SECONDS="0")
        async with _serving(around, folder / "service.log") as session:
            visitor = Visitor(session, around.api, search)
            await _visited(visitor, around, modes)
        search.look("the log", _read(folder / "service.log"))
        for received in around.platform.inbox.everything():
            search.look(f"what was sent to {received.path}", str(received.body))
        for name, said in [*await _commanded(around.env), *await _misconfigured(around.env, secrets)]:
            search.look(f"what `{name}` prints", said)
    return [
        Figure("planted_secrets_searched_kb", search.searched / 1000, 100, at_least=True),
        Figure("planted_secrets_found", len(search.found), 0, at_least=False),
    ]


async def _visited(visitor: Visitor, around: Surroundings, modes: Sequence[Mode]) -> None:
    content_id = str(uuid4())
    await visitor.upload(content_id)
    await visitor.upload("nobody", sourceGcsUri="http://planted.example/x")
    async with asyncio.timeout(_PATIENCE):
        while await visitor.watch(content_id) != 200:
            await asyncio.sleep(0.1)
    await visitor.everything()
    for mode in modes:
        for proxy in around.proxies.values():
            await proxy.become(Fault(mode=mode))
        await visitor.upload(str(uuid4()))
        await visitor.watch(str(uuid4()))
        await visitor.everything()
        for proxy in around.proxies.values():
            await proxy.become(Fault())
    async with asyncio.timeout(_PATIENCE):
        while await visitor.upload(content_id, checksum="sha256:2") != 202:
            await asyncio.sleep(0.2)
    await visitor.operate(content_id)
    await visitor.everything()


@asynccontextmanager
async def _serving(around: Surroundings, log: Path) -> AsyncGenerator[aiohttp.ClientSession]:
    with log.open("wb") as output:
        process = await start(around.env, _CLI, "serve", "--with-worker", stdout=output, stderr=output)
    try:
        async with aiohttp.ClientSession() as session, asyncio.timeout(4 * _PATIENCE):
            while not await _is_ready(session, around.api):
                if process.returncode is not None:
                    raise RuntimeError(f"it did not start: {_read(log)[-2000:]}")
                await asyncio.sleep(0.1)
            yield session
    finally:
        if process.returncode is None:
            process.terminate()
        await process.wait()


def _read(log: Path) -> str:
    return log.read_text(errors="replace")


async def _is_ready(session: aiohttp.ClientSession, api: str) -> bool:
    try:
        async with session.get(f"{api}/readyz") as answer:
            return answer.status == 200
    except aiohttp.ClientError:
        return False


async def _commanded(env: Mapping[str, str]) -> list[tuple[str, str]]:
    return [(" ".join(command), await _output(env, command)) for command in _COMMANDS]


async def _misconfigured(env: Mapping[str, str], secrets: Mapping[str, str]) -> list[tuple[str, str]]:
    """Each secret a little wrong: what is refused is named, and not quoted."""
    said: list[tuple[str, str]] = []
    for name, value in secrets.items():
        wrong = {**env, name: f"{value}\u00e9 wrong", "HTTP_PORT": "nonsense"}
        said.append((f"{name}=… config check", await _output(wrong, ("config", "check"))))
    return said


async def _output(env: Mapping[str, str], command: Iterable[str]) -> str:
    pipe = asyncio.subprocess.PIPE
    process = await start(env, _CLI, *command, stdout=pipe, stderr=pipe)
    out, err = await process.communicate()
    return (out + err).decode(errors="replace")


def main() -> int:
    try:
        with TemporaryDirectory(prefix="planted-") as folder:
            figures = uvloop.run(measure(Path(folder)))
    except (ComponentMissing, TimeoutError, RuntimeError) as problem:
        print(str(problem) or "something did not get ready", file=sys.stderr)
        return 2
    report(figures)
    return 0 if all(figure.met for figure in figures) else 1


if __name__ == "__main__":
    sys.exit(main())
