"""What the service is made to do while it is killed."""

from collections.abc import Awaitable, Callable

from msgspec import Struct

from chaos.run import Broken, Run
from streaming_service.domain.channel import Channel
from streaming_service.domain.placement import ingest_name
from streaming_service.domain.state import Phase, Status


class Scenario(Struct, frozen=True):
    """`publishing`: VOD copies are made. `origins` is how many there are."""

    name: str
    play: Callable[[Run], Awaitable[None]]
    publishing: bool = False
    origins: int = 1


async def _upload(run: Run) -> None:
    await run.upload()
    await run.until("published", _published)


async def _series(run: Run) -> None:
    """Ready only when its copy is published."""
    await run.upload(classification="SERIES")
    await run.until("published", _published)


async def _replacement(run: Run) -> None:
    await run.upload("1")
    await run.until("published", _published)
    await run.upload("2")
    await run.until("replaced", lambda channel: _published(channel) and _shows(channel, "sha256:2"))


async def _retire(run: Run) -> None:
    await run.upload()
    await run.until("published", _published)
    await run.tell("retire", content_id=run.content_id)
    await run.until("retired", lambda channel: channel.status is Status.RETIRED)


async def _live(run: Run) -> None:
    """An encoder whose key is rotated is cut when the old key's grace is over."""
    body = {"contentId": run.content_id, "contentType": "REEL", "live": True, "slateGcsUri": "gs://uploads/clip.mp4"}
    await run.tell("register", body=body)
    serving = (await run.until("ready", _ready)).serving
    if serving is None:
        raise Broken("it is ready and serves nothing")
    ome = run.world.origins[serving.origin]
    async with ome.publish(serving.application, ingest_name("ss-", run.content_id), file="clip.mp4") as encoder:
        if not encoder.live:
            raise Broken(f"the encoder was refused: {encoder.error}")
        await run.tell("rotate", content_id=run.content_id)
        await run.until("rid of the old key's encoder", lambda _: not encoder.live)


async def _drain(run: Run) -> None:
    await run.upload()
    before = (await run.until("ready", _ready)).serving
    if before is None:
        raise Broken("it is ready and serves nothing")
    await run.tell("drain", origin=before.origin)
    await run.until("moved", lambda now: _ready(now) and now.serving and now.serving.origin != before.origin)


async def _replay(run: Run) -> None:
    await run.upload()
    await run.until("ready", _ready)
    await run.tell("replay", content_id=run.content_id)
    await run.until("announced again", lambda channel: channel.announcements >= 2 and not channel.announce)


async def _dead_letter(run: Run) -> None:
    run.world.platform.catalog.remove(run.content_id)
    await run.upload()
    run.world.platform.catalog.put(run.content_id)
    await run.tell("replay-dead-letters")
    await run.until("ready", _ready)
    if left := (await run.look()).dead_letters:
        raise Broken(f"{left} dead letters are left")


def _ready(channel: Channel) -> bool:
    return channel.status is Status.READY and channel.building is None


def _published(channel: Channel) -> bool:
    return _ready(channel) and channel.phase is Phase.PUBLISHED


def _shows(channel: Channel, checksum: str) -> bool:
    return channel.serving is not None and channel.serving.checksum == checksum


SCENARIOS = (
    Scenario("upload", _upload, publishing=True),
    Scenario("series", _series, publishing=True),
    Scenario("replacement", _replacement, publishing=True),
    Scenario("retire", _retire, publishing=True),
    Scenario("live", _live),
    Scenario("drain", _drain, origins=2),
    Scenario("replay", _replay),
    Scenario("dead-letter", _dead_letter),
)
