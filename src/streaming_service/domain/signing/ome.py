"""OvenMediaEngine's SignedPolicy, for players that reach OME without a CDN.

Algorithm: https://docs.ovenmediaengine.com/access-control/signedpolicy and OME's `signed_policy.cpp`
`policy` is unpadded base64url of JSON, with `url_expire` in milliseconds. `signature` is unpadded base64url of
HMAC-SHA1 over the whole URL up to and including `policy`. OME puts the URL together again from the Host header, and
its own listening port where that names none: so the port is always signed, the scheme's own if none is written.
"""

import hmac

import msgspec
from msgspec import Struct

from streaming_service.domain.signing.forms import decode, encode, parts_of, with_port
from streaming_service.domain.signing.keyring import Keyring, SigningKey
from streaming_service.domain.signing.scheme import Cookie, Verdict

POLICY, SIGNATURE = "policy", "signature"


class _Policy(Struct, forbid_unknown_fields=True):
    """OME knows more fields (addresses, an activation); a verifier that does not check them must not let them pass."""

    url_expire: int


class OmeGrant(Struct, frozen=True):
    """OME signs whole URLs, so that each address below the prefix gets a signature of its own."""

    key: SigningKey
    base: str
    policy: str

    @property
    def cookies(self) -> tuple[Cookie, ...]:
        """None."""
        return ()

    def url(self, name: str) -> str:
        """See Grant."""
        return seal_url(self.key, self.base + name, self.policy)


class OmeSigner:
    """`policy` and `signature` as the last two query parameters."""

    binds_session = False

    def __init__(self, keyring: Keyring) -> None:
        self._keyring = keyring

    def sign(self, prefix: str, expires: int, session: str = "") -> OmeGrant:
        """Grant URLs below `prefix`, each for itself, until `expires`."""
        del session
        return OmeGrant(self._keyring.active, _with_port(prefix), encode_policy(expires * 1000))

    def sign_url(self, url: str, expires: int) -> str:
        """Grant this URL alone."""
        return seal_url(self._keyring.active, _with_port(url), encode_policy(expires * 1000))

    def verify(self, url: str, now: int, cookies: str = "") -> Verdict:
        """OME's own check, without the other parameters' freedom of order."""
        del cookies
        if not url.isascii():
            return Verdict.MALFORMED
        parts = [part.partition("=") for part in url.partition("?")[2].split("&")]
        names = [name for name, _, _ in parts]
        if SIGNATURE not in names:
            return Verdict.UNSIGNED
        if names[-2:] != [POLICY, SIGNATURE]:
            return Verdict.MALFORMED
        signed = _with_port(url.rpartition("&")[0]).encode()
        offered = parts[-1][2].encode()
        if not any(hmac.compare_digest(_mac(key, signed), offered) for key in self._keyring.honoured(now)):
            return Verdict.WRONG_SIGNATURE
        expires = policy_expiry(parts[-2][2])
        if expires is None:
            return Verdict.MALFORMED
        return Verdict.VALID if expires > now * 1000 else Verdict.EXPIRED


def encode_policy(expires_ms: int) -> str:
    """The `policy` parameter of a URL that ends at that moment, Unix milliseconds."""
    return encode(msgspec.json.encode(_Policy(expires_ms)))


def policy_expiry(policy: str) -> int | None:
    """When a `policy` ends, Unix milliseconds. None when it is none, or asks for more than an end."""
    data = decode(policy)
    if data is None:
        return None
    try:
        return msgspec.json.decode(data, type=_Policy).url_expire
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None


def seal_url(key: SigningKey, url: str, policy: str) -> str:
    """The URL, which names its port, with `policy` and `signature`."""
    signed = f"{url}{'&' if '?' in url else '?'}{POLICY}={policy}"
    return f"{signed}&{SIGNATURE}={_mac(key, signed.encode()).decode()}"


def _mac(key: SigningKey, signed: bytes) -> bytes:
    return encode(hmac.digest(key.secret, signed, "sha1")).encode()


def _with_port(url: str) -> str:
    scheme, authority, path = parts_of(url)
    _, mark, query = url.partition("?")
    return f"{scheme}://{with_port(scheme, authority)}{path}{mark}{query}"
