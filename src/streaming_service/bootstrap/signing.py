"""The signer of CDN_SIGNING_SCHEME, with its keys."""

from functools import partial

from streaming_service.domain.signing.keyring import Keyring, SigningKey, decode_secret, parse_retired
from streaming_service.domain.signing.registry import SignerOptions, make_signer
from streaming_service.domain.signing.scheme import Signer
from streaming_service.settings import Settings, revealed


def keyring_of(settings: Settings) -> Keyring:
    """The active key, the next one if there is any, and the retired ones. Raises InvalidInput without an active one."""
    decode = partial(decode_secret, settings.cdn_signing_scheme)
    active = decode(revealed(settings.cdn_signing_secret), "CDN_SIGNING_SECRET")
    coming = revealed(settings.cdn_signing_next_secret)
    return Keyring(
        SigningKey(settings.cdn_signing_key_id, active),
        SigningKey(settings.cdn_signing_next_key_id, decode(coming, "CDN_SIGNING_NEXT_SECRET")) if coming else None,
        parse_retired(revealed(settings.cdn_signing_retired_keys), "CDN_SIGNING_RETIRED_KEYS", decode),
    )


def open_signer(settings: Settings) -> Signer:
    """Signs and verifies as these settings say."""
    return make_signer(
        settings.cdn_signing_scheme,
        keyring_of(settings),
        SignerOptions(settings.cdn_cookie_domain, settings.cdn_media_algorithm, settings.cdn_media_place),
    )


def cache_secret(settings: Settings) -> bytes:
    """What cache keys are made with."""
    own = revealed(settings.cdn_cache_key_secret)
    return own.encode() if own else keyring_of(settings).active.secret
