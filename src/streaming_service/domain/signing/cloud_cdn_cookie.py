"""Google Cloud CDN signed cookies.

Algorithm: https://cloud.google.com/cdn/docs/using-signed-cookies#creating_signed_cookies
The signed prefix of `cloud_cdn`, its fields joined by `:`, as the value of `Cloud-CDN-Cookie`.
"""

from streaming_service.domain.signing.cloud_cdn import check_prefix, seal_prefix
from streaming_service.domain.signing.forms import parts_of
from streaming_service.domain.signing.keyring import Keyring
from streaming_service.domain.signing.scheme import Cookie, PrefixGrant, Verdict

NAME = "Cloud-CDN-Cookie"
# A browser sends the cookies of all prefixes that a path lies below; nobody has a reason to send many more.
_MOST_COOKIES = 8


class CloudCdnCookieSigner:
    """The URL stays as it is, the permission is a cookie.

    `domain` is a parent domain of the CDN's host that pages may set a cookie for; the host itself where it is empty or
    no parent of it.
    """

    binds_session = False

    def __init__(self, keyring: Keyring, domain: str = "") -> None:
        self._keyring = keyring
        self._domain = domain.lower().removeprefix(".")

    def sign(self, prefix: str, expires: int, session: str = "") -> PrefixGrant:
        """Grant every URL below `prefix` until `expires`."""
        del session
        _, authority, path = parts_of(prefix)
        value = seal_prefix(self._keyring.active, prefix, expires, ":")
        return PrefixGrant(prefix, cookies=(Cookie(NAME, value, self._cookie_domain(authority), path),))

    def verify(self, url: str, now: int, cookies: str = "") -> Verdict:
        """Valid when one of the cookies of that name is; otherwise what is wrong with the first."""
        if not url.isascii() or not cookies.isascii():
            return Verdict.MALFORMED
        pairs = (pair.strip().partition("=") for pair in cookies.split(";"))
        values = [value for name, _, value in pairs if name == NAME][:_MOST_COOKIES]
        target = url.partition("?")[0]
        verdicts = [check_prefix(self._keyring, value.split(":"), ":", target, now) for value in values]
        if Verdict.VALID in verdicts:
            return Verdict.VALID
        return verdicts[0] if verdicts else Verdict.UNSIGNED

    def _cookie_domain(self, authority: str) -> str:
        host = authority.lower()
        if not host.endswith("]"):  # an IPv6 address without a port
            head, _, port = host.rpartition(":")
            host = head if head and port.isdigit() else host
        parent = self._domain
        return parent if parent and (host == parent or host.endswith(f".{parent}")) else host
