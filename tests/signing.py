"""Every scheme in each of its forms, as `streaming_service.domain.signing` makes them."""

from streaming_service.domain.signing.keyring import Keyring, SigningKey
from streaming_service.domain.signing.registry import SignerOptions, make_signer
from streaming_service.domain.signing.scheme import Cookie, Grant, Scheme, Signer

FORMS: dict[str, tuple[Scheme, SignerOptions]] = {
    "cloud-cdn": (Scheme.CLOUD_CDN, SignerOptions()),
    "cloud-cdn-cookie": (Scheme.CLOUD_CDN_COOKIE, SignerOptions()),
    "media-cdn ed25519 path": (Scheme.MEDIA_CDN, SignerOptions(media_algorithm="ed25519", media_place="path")),
    "media-cdn ed25519 query": (Scheme.MEDIA_CDN, SignerOptions(media_algorithm="ed25519", media_place="query")),
    "media-cdn hmac path": (Scheme.MEDIA_CDN, SignerOptions(media_algorithm="hmac-sha256", media_place="path")),
    "media-cdn hmac query": (Scheme.MEDIA_CDN, SignerOptions(media_algorithm="hmac-sha256", media_place="query")),
    "ome": (Scheme.OME, SignerOptions()),
    "hmac": (Scheme.HMAC, SignerOptions()),
}


def key(form: str, number: int = 1, name: str = "primary") -> SigningKey:
    """A key of the length that the form wants; another one for each number."""
    short = FORMS[form][0] in {Scheme.CLOUD_CDN, Scheme.CLOUD_CDN_COOKIE}
    return SigningKey(name, bytes([number]) * (16 if short else 32))


def signer(form: str, keyring: Keyring | None = None) -> Signer:
    """The form's signer, over the key number 1 unless there is a ring."""
    scheme, options = FORMS[form]
    return make_signer(scheme, keyring or Keyring(key(form)), options)


def header(cookies: tuple[Cookie, ...]) -> str:
    """The Cookie header that a browser would send."""
    return "; ".join(f"{cookie.name}={cookie.value}" for cookie in cookies)


def request(grant: Grant, name: str) -> tuple[str, str]:
    """URL and Cookie header of who uses the grant."""
    return grant.url(name), header(grant.cookies)
