"""The keys that Google signs push tokens with, and whether a token is signed with one of them."""

import asyncio
import re
from base64 import urlsafe_b64decode
from collections.abc import Callable, Mapping

import msgspec
import structlog
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey, RSAPublicNumbers
from cryptography.hazmat.primitives.hashes import SHA256
from msgspec import Struct

from streaming_service.adapters.http import Request, Response, Transport
from streaming_service.domain.push_token import Expected, InvalidToken, check, take_apart
from streaming_service.errors import UpstreamUnavailable

log = structlog.get_logger(__name__)

_SERVICE = "google-keys"
_SHORTEST_MODULUS = 2048
_MAX_AGE = re.compile(r"max-age\s*=\s*(\d{1,9})")
# A key that was withdrawn must not live on for ever because somebody keeps us from asking.
_STALE_SECONDS = 24 * 3600.0
_SHORTEST_AGE, _LONGEST_AGE = 60.0, 24 * 3600.0
# Anybody can make up key ids: they must not be able to make us ask Google all the time.
_PAUSE_SECONDS = 30.0
_PAUSE_AFTER_FAILURE = 5.0


class _Jwk(Struct, frozen=True):
    kid: str = ""
    kty: str = ""
    n: str = ""
    e: str = ""
    alg: str = "RS256"
    use: str = "sig"


class _Jwks(Struct, frozen=True):
    keys: tuple[_Jwk, ...]


class GoogleKeys:
    """Keys by id, from `url` (JWKS), kept for as long as its Cache-Control says. `monotonic` and `timeout` in seconds.

    An id that is not known makes it ask once more, because keys are rotated; not more often than every 30 s. While
    the keys cannot be fetched, known ones go on for a day.
    """

    def __init__(self, transport: Transport, url: str, *, monotonic: Callable[[], float], timeout: float = 3.0) -> None:
        self._transport = transport
        self._url = url
        self._monotonic = monotonic
        self._timeout = timeout
        self._keys: Mapping[str, RSAPublicKey] = {}
        self._fresh_until = self._usable_until = self._ask_from = float("-inf")
        self._failure: str | None = None
        self._asking = asyncio.Lock()

    async def find(self, key_id: str) -> RSAPublicKey | None:
        """None: there is no such key. Raises UpstreamUnavailable when that cannot be known."""
        if not self._known(key_id):
            async with self._asking:  # who waited here may find that the answer has come meanwhile
                if not self._known(key_id) and self._monotonic() >= self._ask_from:
                    await self._ask()
        if self._monotonic() < self._usable_until and (key := self._keys.get(key_id)):
            return key
        if self._failure is not None:
            raise UpstreamUnavailable(_SERVICE, self._failure, retry_after=_PAUSE_AFTER_FAILURE)
        return None

    def _known(self, key_id: str) -> bool:
        return key_id in self._keys and self._monotonic() < self._fresh_until

    async def _ask(self) -> None:
        request = Request(
            "GET",
            self._url,
            {"accept": "application/json"},
            timeout=self._timeout,
            max_body=256 * 1024,
            peer="google-keys",
        )
        try:
            response = await self._transport.send(request)
            keys = _keys_in(response)
        except UpstreamUnavailable as error:
            self._failure = error.detail
            self._ask_from = self._monotonic() + _PAUSE_AFTER_FAILURE
            log.warning("push keys not fetched", reason=error.detail, known=len(self._keys))
            return
        now = self._monotonic()
        self._failure = None
        self._keys = keys
        self._fresh_until = now + _age(response.headers)
        self._usable_until = self._fresh_until + _STALE_SECONDS
        self._ask_from = now + _PAUSE_SECONDS
        log.debug("push keys fetched", count=len(keys))


class GooglePushTokens:
    """Accepts the tokens that Google signs for `expected`. `time` in Unix seconds."""

    def __init__(self, keys: GoogleKeys, expected: Expected, *, time: Callable[[], float]) -> None:
        self._keys = keys
        self._expected = expected
        self._time = time

    async def check(self, token: str) -> None:
        """Raises InvalidToken, ForeignToken, or UpstreamUnavailable when Google's keys cannot be had."""
        taken = take_apart(token)
        key = await self._keys.find(taken.key_id)
        if key is None:
            raise InvalidToken("is signed with a key that Google does not have")
        try:
            key.verify(taken.signature, taken.signed, PKCS1v15(), SHA256())
        except InvalidSignature as error:
            raise InvalidToken("has a wrong signature") from error
        check(taken.claims, self._expected, self._time())


def _keys_in(response: Response) -> Mapping[str, RSAPublicKey]:
    """Raises UpstreamUnavailable when the answer holds none that we could use."""
    if response.status != 200:
        raise UpstreamUnavailable(_SERVICE, f"answered {response.status}", status=response.status)
    try:
        offered = msgspec.json.decode(response.body, type=_Jwks).keys
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise UpstreamUnavailable(_SERVICE, "answered something that is no JWKS") from error
    keys = {item.kid: key for item in offered if (key := _key(item))}
    if not keys:
        raise UpstreamUnavailable(_SERVICE, "answered without any RSA key")
    return keys


def _key(item: _Jwk) -> RSAPublicKey | None:
    if not item.kid or (item.kty, item.alg, item.use) != ("RSA", "RS256", "sig"):
        return None
    try:
        modulus, exponent = _number(item.n), _number(item.e)
        if modulus.bit_length() < _SHORTEST_MODULUS:
            return None
        return RSAPublicNumbers(exponent, modulus).public_key()
    except ValueError:
        return None


def _number(text: str) -> int:
    return int.from_bytes(urlsafe_b64decode(text + "=" * (-len(text) % 4)), "big")


def _age(headers: Mapping[str, str]) -> float:
    """Seconds for which the answer is fresh, within reason."""
    found = _MAX_AGE.search(headers.get("cache-control", "").lower())
    spent = headers.get("age", "0")
    left = int(found[1]) - (int(spent) if spent.isdecimal() and len(spent) < 10 else 0) if found else 0
    return min(_LONGEST_AGE, max(_SHORTEST_AGE, float(left)))
