"""Many deliveries in one request, one JSON object a line (https://github.com/ndjson/ndjson-spec), a receipt for each.

2xx takes all of them but those that the answer names: `{"failed": [{"id": "…", "reason": "…"}]}`. A batch that is
refused because of what is in it (400, 413, 422) is halved until the one that cannot be taken stands alone, so that it
holds up none of the others.
"""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from uuid import NAMESPACE_URL, uuid5

import msgspec
from msgspec import Struct

from streaming_service.adapters.caller import with_context
from streaming_service.adapters.http import Request, Response, Transport
from streaming_service.adapters.retry_after import retry_after_seconds
from streaming_service.adapters.sealing import Sealer
from streaming_service.adapters.webhooks import Route, excerpt
from streaming_service.application.ports import Clock, Item, Receipt
from streaming_service.errors import UpstreamUnavailable

NDJSON = "application/x-ndjson"
# Receivers of ours take bodies of 1 MB.
MOST_BYTES = 900_000
_BECAUSE_OF_WHAT_IS_IN_IT = frozenset({400, 413, 422})
_NAMESPACE = uuid5(NAMESPACE_URL, "urn:streaming-service:batch")


class _Failed(Struct, frozen=True):
    id: str
    reason: str = ""


class _Answer(Struct, frozen=True):
    failed: tuple[_Failed, ...] = ()


_read_answer = msgspec.json.Decoder(_Answer).decode


class _Line(Struct, frozen=True):
    id: str
    peer: str
    data: bytes


class BatchCourier:
    """Implements BulkCourier over HTTP, to one receiver. What HttpCourier takes, it takes, too.

    Signed by Standard Webhooks as a whole; `webhook-id` is the same for the same deliveries in the same order.
    `timeout` is in seconds for each request; after as long, no further one begins for a batch that is being halved.
    """

    def __init__(
        self,
        transport: Transport,
        route: Route,
        *,
        clock: Clock,
        monotonic: Callable[[], float],
        secrets: Sequence[str] = (),
        timeout: float = 15.0,
        context: Callable[[], Mapping[str, str]] = dict,
    ) -> None:
        self._transport = transport
        self._route = route
        self._clock = clock
        self._monotonic = monotonic
        self._sealer = Sealer(secrets, "WEBHOOK_SIGNING_SECRET")
        self._timeout = timeout
        self._context = context

    async def deliver_together(self, items: Sequence[Item]) -> Sequence[Receipt]:
        """One attempt for each, their receipts in the same order."""
        lines = [_Line(item.id, item.endpoint, msgspec.json.encode(body)) for item, body in items]
        until = self._monotonic() + self._timeout
        receipts: dict[str, Receipt] = {}
        # Side by side: one after the other they might take longer than their claim lasts.
        for outcome in await asyncio.gather(*(self._send(group, until) for group in _grouped(lines))):
            receipts |= outcome
        return [receipts[line.id] for line in lines]

    async def _send(self, group: Sequence[_Line], until: float) -> dict[str, Receipt]:
        data = b"".join(line.data + b"\n" for line in group)
        headers = self._headers(group, data)
        request = Request("POST", self._route.url, headers, data, timeout=self._timeout, peer=group[0].peer)
        try:
            response = await self._transport.send(request)
        except UpstreamUnavailable as error:
            return _alike(group, Receipt(False, None, str(error)))
        if response.ok:
            return _taken(group, response)
        if response.status in _BECAUSE_OF_WHAT_IS_IN_IT and len(group) > 1 and self._monotonic() < until:
            middle = len(group) // 2
            return await self._send(group[:middle], until) | await self._send(group[middle:], until)
        refusal = Receipt(
            ok=False,
            status=response.status,
            detail=f"{_answered(group, response)}{excerpt(response, self._route)}",
            retry_after=retry_after_seconds(response.headers, self._clock.now()),
            gone=response.status == 410,
        )
        return _alike(group, refusal)

    def _headers(self, group: Sequence[_Line], data: bytes) -> dict[str, str]:
        batch_id = str(uuid5(_NAMESPACE, "/".join(line.id for line in group)))
        own = {"content-type": NDJSON, "accept": "application/json", "idempotency-key": batch_id}
        if self._route.token:
            own["authorization"] = f"Bearer {self._route.token}"
        own |= self._sealer.headers(batch_id, data, self._clock.now())
        return with_context(own, self._context())


def _grouped(lines: Sequence[_Line]) -> list[list[_Line]]:
    """As few requests as the limit of a body allows."""
    groups: list[list[_Line]] = []
    size = 0
    for line in lines:
        length = len(line.data) + 1
        if not groups or size + length > MOST_BYTES:
            groups.append([])
            size = 0
        groups[-1].append(line)
        size += length
    return groups


def _taken(group: Sequence[_Line], response: Response) -> dict[str, Receipt]:
    """Everything but what the answer names. One that cannot be read may have named anything."""
    said = _answered(group, response)
    try:
        failed = {item.id: item.reason for item in _failed_in(response)}
    except msgspec.MsgspecError:
        unclear = "what it says of `failed` is no list of {id, reason}, so nobody knows what it took"
        return _alike(group, Receipt(False, response.status, f"{said}, but {unclear}"))
    if strangers := failed.keys() - {line.id for line in group}:
        unclear = f"it names {len(strangers)} as failed that were not in it, so nobody knows what it took"
        return _alike(group, Receipt(False, response.status, f"{said}, but {unclear}"))
    refused = {
        key: Receipt(False, response.status, f"{said}, but did not take it: {' '.join(reason.split())[:160]}")
        for key, reason in failed.items()
    }
    return _alike(group, Receipt(True, response.status, said)) | refused


def _failed_in(response: Response) -> Sequence[_Failed]:
    """Raises msgspec.MsgspecError for a `failed` of another shape. Receivers that answer something else took all."""
    if b'"failed"' not in response.body:
        return ()
    return _read_answer(response.body).failed


def _answered(group: Sequence[_Line], response: Response) -> str:
    return f"answered {response.status} to a batch of {len(group)}"


def _alike(group: Sequence[_Line], receipt: Receipt) -> dict[str, Receipt]:
    return {line.id: receipt for line in group}
