"""From the name of a scheme to its signer."""

from typing import Literal

from msgspec import Struct

from streaming_service.domain.signing.cloud_cdn import CloudCdnSigner
from streaming_service.domain.signing.cloud_cdn_cookie import CloudCdnCookieSigner
from streaming_service.domain.signing.hmac_prefix import HmacSigner
from streaming_service.domain.signing.keyring import Keyring
from streaming_service.domain.signing.ome import OmeSigner
from streaming_service.domain.signing.scheme import Scheme, Signer


class SignerOptions(Struct, frozen=True):
    """What single schemes let one choose."""

    cookie_domain: str = ""
    media_algorithm: Literal["ed25519", "hmac-sha256"] = "ed25519"
    media_place: Literal["path", "query"] = "path"


def make_signer(scheme: Scheme, keyring: Keyring, options: SignerOptions) -> Signer:
    """The scheme's signer over these keys."""
    match scheme:
        case Scheme.CLOUD_CDN:
            return CloudCdnSigner(keyring)
        case Scheme.CLOUD_CDN_COOKIE:
            return CloudCdnCookieSigner(keyring, options.cookie_domain)
        case Scheme.MEDIA_CDN:
            # Here, because a start must be quick and only this scheme needs elliptic curves.
            from streaming_service.domain.signing.media_cdn import MediaCdnSigner  # noqa: PLC0415
            from streaming_service.domain.signing.media_cdn_token import Algorithm  # noqa: PLC0415

            return MediaCdnSigner(keyring, Algorithm(options.media_algorithm), options.media_place)
        case Scheme.OME:
            return OmeSigner(keyring)
        case Scheme.HMAC:
            return HmacSigner(keyring)
