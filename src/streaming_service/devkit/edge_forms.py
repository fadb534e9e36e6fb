"""Where a request carries its grant, and how what a playlist names comes by it: one form for each signing scheme."""

from collections.abc import Callable
from typing import Protocol
from urllib.parse import urljoin

from msgspec import Struct

from streaming_service.domain.signing.hmac_prefix import FIELDS as HMAC_FIELDS
from streaming_service.domain.signing.ome import POLICY, SIGNATURE, OmeSigner, policy_expiry
from streaming_service.domain.signing.scheme import Scheme, Signer

# RFC 8216bis, 6.2.5: directives that a player adds to a playlist's URL by itself.
_DIRECTIVES = "_HLS_"
_TOKEN = "edge-cache-token"


class Carried(Struct, frozen=True):
    """One request, taken apart.

    signed    path and query as the signature stands for them
    path      without the grant: what is asked for; may be logged
    query     without the grant
    extend    gives a URI of the playlist that is asked for what its child needs to be let in
    """

    signed: str
    path: str
    query: str
    extend: Callable[[str], str]


class Form(Protocol):
    """How a scheme's grants travel."""

    @property
    def credentials(self) -> bool:
        """Is the grant a cookie, so that browsers need a permission of their own to send it from another site?"""
        ...

    def take(self, path: str, query: str, own_base: str) -> Carried:
        """Take a request apart, whether it is signed or not. `own_base` is what this edge's URLs begin with."""
        ...


class InQuery:
    """Parameters of these names, which are appended to every child."""

    credentials = False

    def __init__(self, names: frozenset[str]) -> None:
        self._names = names

    def take(self, path: str, query: str, own_base: str) -> Carried:
        """Each part byte for byte and in order."""
        del own_base
        parts = [part for part in query.split("&") if part]
        grant = [part for part in parts if part.partition("=")[0] in self._names]
        rest = "&".join(part for part in parts if part not in grant)
        return Carried(_joined(path, query), path, rest, appending("&".join(grant)))


class InCookie:
    """Browsers send it by themselves."""

    credentials = True

    def take(self, path: str, query: str, own_base: str) -> Carried:
        """Nothing to take out."""
        del own_base
        return Carried(_joined(path, query), path, query, _unchanged)


class InPath:
    """A part of the path, which relative URIs inherit; without one, the parameter of that name."""

    credentials = False

    def __init__(self) -> None:
        self._otherwise = InQuery(frozenset({_TOKEN}))

    def take(self, path: str, query: str, own_base: str) -> Carried:
        """The first part of that name, as the signature's verifier takes it."""
        before, mark, after = path.partition(f"/{_TOKEN}=")
        if not mark:
            return self._otherwise.take(path, query, own_base)
        component, _, rest = after.partition("/")
        folder, granted = f"{before}/", f"{before}/{_TOKEN}={component}/"

        def extend(uri: str) -> str:
            """Only a URI that names the folder itself does not inherit it."""
            for start in (own_base, ""):
                if uri.startswith(start + folder):
                    return f"{start}{granted}{uri.removeprefix(start + folder)}"
            return uri

        return Carried(_joined(path, query), folder + rest, query, extend)


class OmePolicy:
    """OME signs whole URLs and, itself, looks at the master playlist's alone. This edge looks at all, and so signs each
    child, until the same moment, as OME would have to."""

    credentials = False

    def __init__(self, signer: OmeSigner) -> None:
        self._signer = signer
        self._parameters = InQuery(frozenset({POLICY, SIGNATURE}))

    def take(self, path: str, query: str, own_base: str) -> Carried:
        """What the player has added to the playlist's signed URL is not signed."""
        plain = self._parameters.take(path, query, own_base)
        parts = query.split("&")
        policy = next((part.partition("=")[2] for part in parts if part.startswith(f"{POLICY}=")), "")
        expires = (policy_expiry(policy) or 0) // 1000

        def extend(uri: str) -> str:
            return self._signer.sign_url(urljoin(own_base + path, uri), expires)

        signed = "&".join(part for part in parts if not part.startswith(_DIRECTIVES))
        return Carried(_joined(path, signed), path, plain.query, extend)


CLOUD_CDN = InQuery(frozenset({"URLPrefix", "Expires", "KeyName", "Signature"}))


def form_of(scheme: Scheme, signer: Signer) -> Form:
    """The form in which this scheme's grants come. `signer` signs children where the scheme wants that."""
    match scheme:
        case Scheme.CLOUD_CDN:
            return CLOUD_CDN
        case Scheme.CLOUD_CDN_COOKIE:
            return InCookie()
        case Scheme.MEDIA_CDN:
            return InPath()
        case Scheme.HMAC:
            return InQuery(frozenset(HMAC_FIELDS))
        case Scheme.OME:
            if not isinstance(signer, OmeSigner):
                raise TypeError(f"{scheme} needs its own signer, not {type(signer).__name__}")
            return OmePolicy(signer)


def appending(query: str) -> Callable[[str], str]:
    """Appends `query` to a URI, before its fragment."""

    def append(uri: str) -> str:
        address, mark, fragment = uri.partition("#")
        return f"{address}{'&' if '?' in address else '?'}{query}{mark}{fragment}"

    return append


def _unchanged(uri: str) -> str:
    return uri


def _joined(path: str, query: str) -> str:
    return f"{path}?{query}" if query else path
