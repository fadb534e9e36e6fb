"""Google Media CDN: `edge-cache-token`, as a query or as a part of the path.

In the query it is a token (`media_cdn_token`), which names no key: an edge tries all that it has. In the path it is a
signed prefix (https://cloud.google.com/media-cdn/docs/generate-signatures): the URL up to and including `KeyName` is
sealed, and everything below it is granted, so that the relative addresses in a playlist inherit it. `KeyName` is the
keyset's, so that several keys may have the same name.

Media CDN itself takes HMAC in tokens only, in the path Ed25519 only. The path with HMAC is the same text with `hmac=`
in place of `Signature=`, for an edge of one's own.
"""

from typing import Literal

from streaming_service.domain.signing.forms import has_dots, in_time, parts_of
from streaming_service.domain.signing.keyring import Keyring
from streaming_service.domain.signing.media_cdn_token import Algorithm, Scope, Seal, make_token, parse_token
from streaming_service.domain.signing.scheme import PrefixGrant, Verdict

NAME = "edge-cache-token"
_IN_QUERY = f"{NAME}="
_IN_PATH = f"/{NAME}="


class MediaCdnSigner:
    """Signs into the query or into the path, and verifies both."""

    binds_session = False

    def __init__(self, keyring: Keyring, algorithm: Algorithm, place: Literal["path", "query"]) -> None:
        self._keyring = keyring
        self._seal = Seal(algorithm)
        self._place = place

    def sign(self, prefix: str, expires: int, session: str = "") -> PrefixGrant:
        """Grant every URL below `prefix` until `expires`."""
        del session
        key = self._keyring.active
        if self._place == "query":
            return PrefixGrant(prefix, _IN_QUERY + make_token(self._seal, key, Scope.URL_PREFIX, prefix, expires))
        policy = f"{prefix}{_IN_QUERY}Expires={expires}&KeyName={key.id}"
        return PrefixGrant(f"{policy}&{self._seal.make(key, policy)}/")

    def sign_url(self, url: str, expires: int) -> str:
        """Grant this URL's path alone, always in the query."""
        path = parts_of(url)[2]
        token = make_token(self._seal, self._keyring.active, Scope.FULL_PATH, path, expires)
        return f"{url}{'&' if '?' in url else '?'}{_IN_QUERY}{token}"

    def verify(self, url: str, now: int, cookies: str = "") -> Verdict:
        """Check the part of the path, or else the parameter of that name."""
        del cookies
        target, _, query = url.partition("?")
        if not url.isascii():
            return Verdict.MALFORMED
        if _IN_PATH in target:
            return self._check_path(target, now)
        token = next((part for part in query.split("&") if part.startswith(_IN_QUERY)), None)
        if token is None:
            return Verdict.UNSIGNED
        return self._check_token(token.removeprefix(_IN_QUERY), target, now)

    def _check_token(self, text: str, target: str, now: int) -> Verdict:
        token = parse_token(text)
        if token is None:
            return Verdict.MALFORMED
        signed = token.signed(parts_of(target)[2])
        if not any(self._seal.fits(key, signed, token.seal) for key in self._keyring.honoured(now)):
            return Verdict.WRONG_SIGNATURE
        return token.judge(target, now)

    def _check_path(self, target: str, now: int) -> Verdict:
        start = target.index(_IN_PATH) + 1
        component, slash, rest = target[start:].removeprefix(_IN_QUERY).partition("/")
        fields = component.split("&")
        if not slash or [field.partition("=")[0] for field in fields[:2]] != ["Expires", "KeyName"] or len(fields) != 3:
            return Verdict.MALFORMED
        expires, name = (field.partition("=")[2] for field in fields[:2])
        keys = [key for key in self._keyring.honoured(now) if key.id == name]
        if not keys:
            return Verdict.UNKNOWN_KEY
        signed = f"{target[:start]}{_IN_QUERY}{fields[0]}&{fields[1]}"
        if not any(self._seal.fits(key, signed, fields[2]) for key in keys):
            return Verdict.WRONG_SIGNATURE
        if has_dots(rest):
            return Verdict.OTHER_PATH
        return in_time(expires, now)
