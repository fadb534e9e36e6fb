"""Three rotations of the signing key, as docs/signing.md has them: is a URL ever refused that was given out?

Two signers and two edges learn of each step at different times, up to ten minutes late, and in any order. Every URL is
shown to both edges while it lasts. Beside it, for comparison, the same without a next and a retired key.
"""

from collections.abc import Iterator

from bench.figures import Figure, note
from streaming_service.domain.signing.keyring import Keyring, RetiredKey, SigningKey
from streaming_service.domain.signing.registry import SignerOptions, make_signer
from streaming_service.domain.signing.scheme import Scheme, Signer, Verdict

TTL, LATEST, STEP = 300, 600, 20
ROTATIONS, PERIOD = 3, 3600
# How late each process is, in seconds: signers, then edges.
LAGS = (0, 550), (600, 50)
PREFIX = "https://cdn.example/reels/sid-1/"

Timeline = list[tuple[int, Signer]]


def measure(forms: dict[str, tuple[Scheme, SignerOptions]]) -> list[Figure]:
    """Every form goes through it."""
    refused = shown = careless = 0
    for scheme, options in forms.values():
        more, bad = _run(_timeline(scheme, options, careful=True))
        shown, refused = shown + more, refused + bad
        careless += _run(_timeline(scheme, options, careful=False))[1]
    note(f"rotation: {shown} times a URL was shown to an edge; without next and retired keys {careless} were refused")
    return [
        Figure("signing_rotation_shown", shown, 10_000, at_least=True),
        Figure("signing_rotation_refused", refused, 0, at_least=False),
    ]


def _run(timeline: Timeline) -> tuple[int, int]:
    shown = refused = 0
    signers, edges = LAGS
    for moment in range(LATEST, ROTATIONS * PERIOD, STEP):
        for lag in signers:
            grant = _at(timeline, moment - lag).sign(PREFIX, moment + TTL)
            url, cookies = grant.url("a"), "; ".join(f"{item.name}={item.value}" for item in grant.cookies)
            for later in (moment, moment + TTL // 2, moment + TTL - 1):
                for edge in edges:
                    shown += 1
                    refused += _at(timeline, later - edge).verify(url, later, cookies) is not Verdict.VALID
    return shown, refused


def _timeline(scheme: Scheme, options: SignerOptions, *, careful: bool) -> Timeline:
    return [(start, make_signer(scheme, ring, options)) for start, ring in _rings(scheme, careful=careful)]


def _rings(scheme: Scheme, *, careful: bool) -> Iterator[tuple[int, Keyring]]:
    """What is configured from when on: announce, switch, let go."""
    yield 0, Keyring(_key(scheme, 0))
    for number in range(ROTATIONS):
        begin, old, new = number * PERIOD + LATEST, _key(scheme, number), _key(scheme, number + 1)
        switch = begin + LATEST
        until = switch + LATEST + TTL
        if careful:
            yield begin, Keyring(old, next=new)
            yield switch, Keyring(new, retired=(RetiredKey(old, until),))
        yield (until if careful else switch), Keyring(new)


def _at(timeline: Timeline, moment: int) -> Signer:
    return [signer for start, signer in timeline if start <= moment][-1] if moment >= 0 else timeline[0][1]


def _key(scheme: Scheme, number: int) -> SigningKey:
    short = scheme in {Scheme.CLOUD_CDN, Scheme.CLOUD_CDN_COOKIE}
    return SigningKey(f"key-{number}", bytes([number + 1]) * (16 if short else 32))
