"""CDN control is told what to warm: one call for each address."""

import asyncio
from typing import Any
from urllib.parse import urlsplit

from msgspec import to_builtins
from msgspec.structs import replace

from streaming_service.adapters.probing.way import without_grant
from streaming_service.application.ports import Courier, Listed, Receipt
from streaming_service.domain.notification import Endpoint, Notification
from streaming_service.domain.signing.scheme import SignedCookie
from streaming_service.domain.warming import TOPIC, Missed, WarmedRegion, call_id

WAY = "cdn-control"
_LATE = "there was no time left for it"
_ILL = frozenset({None, 401, 403, 404, 410, 429, 502, 503, 504})


class CourierWarmControl:
    """WarmControl over the courier of CDN control: `POST /warmup {url, region?, cookies?}`, signed like a delivery.

    At most `concurrency` calls are under way at a time.
    """

    def __init__(self, courier: Courier, *, concurrency: int) -> None:
        self._courier = courier
        self._slots = asyncio.Semaphore(concurrency)

    async def tell(
        self, owed: Notification, region: str | None, listed: Listed, cookies: tuple[SignedCookie, ...], seconds: float
    ) -> WarmedRegion:
        """See WarmControl. The manifest is told first, and nothing more when that shows that nothing is taken."""
        telling = _Telling(self._courier, self._slots, owed, region, cookies)
        first, *others = listed.addresses
        try:
            async with asyncio.timeout(seconds):
                await telling.tell(first)
                await asyncio.gather(*map(telling.tell, others))
        except TimeoutError:
            telling.give_up(listed.addresses)
        # What it could not be told because nobody knows what it is, is missed as well.
        return WarmedRegion(
            region, WAY, tuple(telling.warmed), (*telling.missed.values(), *listed.missed), telling.retry_after
        )


class _Telling:
    def __init__(
        self,
        courier: Courier,
        slots: asyncio.Semaphore,
        owed: Notification,
        region: str | None,
        cookies: tuple[SignedCookie, ...],
    ) -> None:
        self._courier = courier
        self._slots = slots
        self._owed = owed
        self._region = region
        self._cookies = cookies
        self._refusal: Receipt | None = None
        self.warmed: list[str] = []
        self.missed: dict[str, Missed] = {}
        self.retry_after: float | None = None

    async def tell(self, url: str) -> None:
        path = _path(url)
        async with self._slots:
            if self._refusal is None:
                receipt = await self._courier.deliver(self._call(path), self._body(url))
                if receipt.ok:
                    self.warmed.append(path)
                    return
                self._heard(receipt)
            else:
                receipt = self._refusal
        self.missed[path] = Missed(path, f"cdn control: {receipt.detail}", receipt.status)

    def give_up(self, addresses: tuple[str, ...]) -> None:
        """The time is over."""
        for path in map(_path, addresses):
            if path not in self.missed and path not in self.warmed:
                self.missed[path] = Missed(path, _LATE)

    def _heard(self, receipt: Receipt) -> None:
        """About this address alone, or about all that come after it."""
        if receipt.status in _ILL:
            self._refusal = receipt
            self.retry_after = receipt.retry_after

    def _call(self, path: str) -> Notification:
        identity = call_id(self._owed, self._region, path)
        return replace(self._owed, id=identity, endpoint=Endpoint.CDN_CONTROL, topic=TOPIC)

    def _body(self, url: str) -> dict[str, Any]:
        region = {"region": self._region} if self._region else {}
        return {"url": url, **region, **({"cookies": to_builtins(self._cookies)} if self._cookies else {})}


def _path(url: str) -> str:
    return without_grant(urlsplit(url).path)
