"""The Pub/Sub emulator, started once, and a topic for each test."""

from collections.abc import AsyncIterator, Awaitable, Callable, Iterator

import pytest

from streaming_service.devkit.emulators import ComponentMissing, PubSubEmulator
from tests.conftest import require_component
from tests.integration.events.pubsub_server import Topic

MakeTopic = Callable[..., Awaitable[Topic]]


def started(emulator: PubSubEmulator) -> PubSubEmulator:
    try:
        emulator.start()
    except ComponentMissing as error:
        require_component(False, emulator.name, str(error))
    return emulator


@pytest.fixture(scope="session")
def shared_emulator() -> Iterator[PubSubEmulator]:
    emulator = started(PubSubEmulator())
    yield emulator
    emulator.stop()


@pytest.fixture
def emulator(shared_emulator: PubSubEmulator, monkeypatch: pytest.MonkeyPatch) -> PubSubEmulator:
    """Google's clients of this test talk to the emulator."""
    for name, value in shared_emulator.environment.items():
        monkeypatch.setenv(name, value)
    return shared_emulator


@pytest.fixture
async def make_topic(emulator: PubSubEmulator) -> AsyncIterator[MakeTopic]:
    """Topics that are closed with the test."""
    del emulator
    topics: list[Topic] = []

    async def make(*, ordered: bool = False, exactly_once: bool = False) -> Topic:
        topic = Topic(ordered=ordered, exactly_once=exactly_once)
        topics.append(topic)
        await topic.create()
        return topic

    yield make
    for topic in topics:
        topic.close()


@pytest.fixture
async def topic(make_topic: MakeTopic) -> Topic:
    return await make_topic()
