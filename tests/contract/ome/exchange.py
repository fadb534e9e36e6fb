"""Questions recorded from real servers and what must be true of the answers."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

import msgspec

from tests.contract.ome.target import APP, OTHER_APP, VHOST, Answer, Target

_FOLDER = Path(__file__).parent / "exchanges"


class Exchange(msgspec.Struct, frozen=True, kw_only=True):
    """One line of `exchanges/*.json`, distilled from the transcripts of 0.21 (0.20 answers the same).

    `{vhost}`, `{app}`, `{other}`, `{unique}`, … in path, body and messages stand for names. `guarded` questions would
    do harm if the server did not refuse them, so they are asked only where the virtual host is known to be read-only.
    """

    name: str
    method: str
    path: str
    status: int
    shape: Literal["empty", "message", "object", "list", "batch"]
    body: Any = None
    raw: str | None = None
    authorization: str | None = None
    messages: tuple[str, ...] = ()
    statuses: tuple[int, ...] = ()
    keys: tuple[str, ...] = ()
    headers: dict[str, str] = {}
    guarded: bool = False


def load(file: str) -> list[Exchange]:
    return msgspec.json.decode((_FOLDER / file).read_bytes(), type=list[Exchange])


async def replay(target: Target, exchange: Exchange, names: Mapping[str, str] | None = None) -> Answer:
    """Ask the question and check the answer. What a real server says in words is not looked at, ours is compared."""
    words = {"vhost": VHOST, "app": APP, "other": OTHER_APP, "unique": target.unique(), **(names or {})}
    body = exchange.body if exchange.body is None else json.loads(_fill(json.dumps(exchange.body), words))
    answer = await target.ask(
        exchange.method,
        _fill(exchange.path, words),
        body,
        raw=None if exchange.raw is None else exchange.raw.encode(),
        authorization=exchange.authorization,
    )
    assert answer.status == exchange.status, f"{exchange.name}: {answer.status} {answer.text}"
    for name, value in exchange.headers.items():
        assert answer.headers.get(name) == value, exchange.name
    if exchange.shape == "empty":
        assert answer.content == b""
        return answer
    assert answer.headers["Content-Type"].startswith("application/json")
    _check_envelopes(target, exchange, answer, words)
    return answer


def _check_envelopes(target: Target, exchange: Exchange, answer: Answer, words: Mapping[str, str]) -> None:
    batch = exchange.shape == "batch"
    envelopes = answer.json if batch else [answer.json]
    assert isinstance(envelopes, list)
    statuses = list(exchange.statuses) if batch else [exchange.status]
    assert [envelope["statusCode"] for envelope in envelopes] == statuses, f"{exchange.name}: {answer.text}"
    assert all(isinstance(envelope["message"], str) and envelope["message"] for envelope in envelopes)
    if target.stand_in:
        assert [envelope["message"] for envelope in envelopes] == [_fill(said, words) for said in exchange.messages]
    if not batch:
        kinds = {"object": dict, "list": list, "message": type(None)}
        assert isinstance(envelopes[0].get("response"), kinds[exchange.shape]), f"{exchange.name}: {answer.text}"
    missing = set(exchange.keys) - set(envelopes[0].get("response") or ()) if exchange.keys else set[str]()
    assert not missing, f"{exchange.name} lacks {missing}"


def _fill(text: str, words: Mapping[str, str]) -> str:
    for name, value in words.items():
        text = text.replace("{" + name + "}", value)
    return text
