"""`streaming-service sign` and `verify`: what the service would hand out, and what an edge would say to it."""

import time
from datetime import UTC, datetime
from pathlib import Path

from streaming_service.bootstrap import open_signer
from streaming_service.configuration import load
from streaming_service.domain.clock import from_wire, to_wire
from streaming_service.domain.signing.forms import parts_of
from streaming_service.domain.signing.scheme import PrefixGrant, Signer, UrlSigner, Verdict, on_the_wire
from streaming_service.entrypoints.terminal import document, say
from streaming_service.errors import InvalidInput
from streaming_service.settings import Settings

_SENTENCES = {
    Verdict.VALID: "an edge with these keys serves it",
    Verdict.UNSIGNED: "it carries no signature of this scheme",
    Verdict.MALFORMED: "it carries something of this scheme, but not what the scheme allows",
    Verdict.UNKNOWN_KEY: "the key it names is not among the active, next and retired ones",
    Verdict.WRONG_SIGNATURE: "no key that counts now made this signature for it",
    Verdict.OTHER_PATH: "the signature is right, and for something else",
    Verdict.EXPIRED: "the signature is right, and over",
}


def sign_url(
    env_file: Path, url: str, *, prefix: str | None, ttl: int | None, session: str, exact: bool, as_json: bool
) -> None:
    """Print the signed URL, and the Cookie header where the scheme has one.

    `url` may be a path below CDN_BASE_URL. Granted is `prefix`, by default its folder; with `exact` the URL alone.
    """
    settings = load(env_file=env_file, roles=["signing"])
    signer = open_signer(settings)
    url = _absolute(url, settings)
    expires = int(time.time()) + (settings.signed_url_ttl_seconds if ttl is None else ttl)
    if session and not signer.binds_session:
        raise InvalidInput("--session", f"{settings.cdn_signing_scheme} does not sign sessions")
    if exact:
        grant = PrefixGrant(_signed_whole(signer, url, expires, settings))
        signed = grant.base
    else:
        prefix = _prefix(url, prefix)
        grant = signer.sign(prefix, expires, session)
        signed = grant.url(url.removeprefix(prefix))
    expires_at = to_wire(datetime.fromtimestamp(expires, UTC))
    cookies = on_the_wire(grant.cookies, expires_at)
    if as_json:
        return say(document({"url": signed, "expiresAt": expires_at, "cookies": cookies}))
    say(signed)
    for cookie in cookies:
        say(f"Cookie: {cookie.name}={cookie.value}")
    return None


def verify_url(env_file: Path, url: str, *, cookies: str, at: str | None, as_json: bool) -> bool:
    """Print what an edge with our keys would find, now or at a moment; gives whether it would serve the URL."""
    settings = load(env_file=env_file, roles=["signing"])
    now = int(from_wire(at, "--at").timestamp() if at else time.time())
    verdict = open_signer(settings).verify(url, now, cookies)
    if as_json:
        say(document({"verdict": verdict.value, "meaning": _SENTENCES[verdict]}))
    else:
        say(f"{verdict}: {_SENTENCES[verdict]}")
    return verdict is Verdict.VALID


def _absolute(url: str, settings: Settings) -> str:
    if url.startswith("/"):
        if not settings.cdn_base_url:
            raise InvalidInput("URL", "is a path, and CDN_BASE_URL is not set")
        url = settings.cdn_base_url + url
    _, authority, path = parts_of(url)
    if not url.isascii() or not authority or not path:
        raise InvalidInput("URL", "is neither scheme://host/path in ASCII nor a path that begins with /")
    return url


def _prefix(url: str, wanted: str | None) -> str:
    if wanted is None:
        return url.partition("?")[0].rpartition("/")[0] + "/"
    if not wanted.endswith("/") or not url.startswith(wanted) or not parts_of(wanted)[2]:
        raise InvalidInput("--prefix", "is not scheme://host/…/ that the URL begins with")
    return wanted


def _signed_whole(signer: Signer, url: str, expires: int, settings: Settings) -> str:
    if not isinstance(signer, UrlSigner):
        raise InvalidInput("--exact", f"{settings.cdn_signing_scheme} signs prefixes only")
    return signer.sign_url(url, expires)
