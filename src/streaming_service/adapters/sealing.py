"""Standard Webhooks signatures (https://www.standardwebhooks.com), made and checked."""

import hmac
from base64 import b64decode
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime

from standardwebhooks import Webhook
from standardwebhooks.webhooks import EmptyWebhookSecretError

from streaming_service.errors import ConfigurationError, InvalidInput

# The standard's own: clocks differ, and what was recorded is not good for ever.
_TOLERANCE = 300.0

_ID, _TIMESTAMP, _SIGNATURE = "webhook-id", "webhook-timestamp", "webhook-signature"


class Sealer:
    """Signs with each of `secrets`, so that the other side can move from one to the next, and accepts each of them.

    `variable` is where they come from. Raises ConfigurationError when one is not `whsec_` and base64.
    """

    def __init__(self, secrets: Sequence[str], variable: str) -> None:
        self._signers = tuple(_signer(secret, variable) for secret in secrets)

    def __bool__(self) -> bool:
        return bool(self._signers)

    def headers(self, message_id: str, body: bytes, now: datetime) -> dict[str, str]:
        """What travels with the body; nothing when there is no secret."""
        if not self._signers:
            return {}
        return {
            _ID: message_id,
            _TIMESTAMP: str(int(now.timestamp())),
            _SIGNATURE: " ".join(signer.sign(message_id, now, body.decode()) for signer in self._signers),
        }

    def check(self, headers: Mapping[str, str], body: bytes, now: datetime) -> str:
        """The id of a message that was signed with one of our secrets a moment ago. Names in `headers` are lower case.

        Raises InvalidInput naming the header that is wrong.
        """
        message_id, timestamp = headers.get(_ID, ""), headers.get(_TIMESTAMP, "")
        if not message_id:
            raise InvalidInput(_ID, "is missing")
        if not (timestamp.isascii() and timestamp.isdigit() and len(timestamp) < 12):
            raise InvalidInput(_TIMESTAMP, "is missing, or no Unix seconds")
        said = datetime.fromtimestamp(int(timestamp), UTC)
        if abs((now - said).total_seconds()) > _TOLERANCE:
            raise InvalidInput(_TIMESTAMP, "is minutes away from now")
        try:
            text = body.decode()
        except UnicodeDecodeError as error:
            raise InvalidInput("body", "is no text") from error
        offered = headers.get(_SIGNATURE, "").encode().split(b" ")
        found = False
        for signer in self._signers:
            expected = signer.sign(message_id, said, text).encode()
            for signature in offered:
                found |= hmac.compare_digest(expected, signature)
        if not found:
            raise InvalidInput(_SIGNATURE, "was not made of exactly this body with a secret of ours")
        return message_id


def _signer(secret: str, variable: str) -> Webhook:
    encoded = secret.strip().removeprefix("whsec_").rstrip("=")
    try:
        # Checked here, because the library skips characters that are not base64 and so shortens a mistyped secret.
        return Webhook(b64decode(encoded + "=" * (-len(encoded) % 4), validate=True))
    except (ValueError, EmptyWebhookSecretError) as error:
        raise ConfigurationError([f"{variable}: expected whsec_ followed by base64"]) from error
