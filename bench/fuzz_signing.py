"""`python -m bench.fuzz_signing`: a million requests that nobody signed, at every verifier. `--quick`: fifty thousand.

Two thirds are a valid request in which something was replaced, put in, left out or doubled; the rest is any text, and
nonsense that the key's holder signed. Counted is what raises, and what is let in although the grant or what it was
for is no longer there. `--seed N` repeats a run; each has a seed of its own, and prints it. Afterwards keys are rotated
(`signing_rotation`), and nothing that was given out may be refused.
"""

import random
import sys
import time
from collections import Counter
from collections.abc import Callable

from bench import signing_rotation
from bench.figures import Figure, note, report
from streaming_service.domain.signing.cloud_cdn import CloudCdnSigner, seal_prefix
from streaming_service.domain.signing.cloud_cdn_cookie import NAME
from streaming_service.domain.signing.forms import encode
from streaming_service.domain.signing.keyring import Keyring, SigningKey
from streaming_service.domain.signing.media_cdn_token import Algorithm, Scope, Seal, make_token
from streaming_service.domain.signing.ome import seal_url
from streaming_service.domain.signing.registry import SignerOptions, make_signer
from streaming_service.domain.signing.scheme import PrefixGrant, Scheme, Signer, Verdict

CASES = 1_000_000
NOW, EXPIRES = 1_000, 1_300
HOST, FOLDER = "cdn.example:8080", "/reels/sid-1/"
PREFIX = f"http://{HOST}{FOLDER}"
FORMS = {
    "cloud-cdn": (Scheme.CLOUD_CDN, SignerOptions()),
    "cloud-cdn-cookie": (Scheme.CLOUD_CDN_COOKIE, SignerOptions()),
    "media-cdn ed25519 path": (Scheme.MEDIA_CDN, SignerOptions(media_algorithm="ed25519", media_place="path")),
    "media-cdn ed25519 query": (Scheme.MEDIA_CDN, SignerOptions(media_algorithm="ed25519", media_place="query")),
    "media-cdn hmac path": (Scheme.MEDIA_CDN, SignerOptions(media_algorithm="hmac-sha256", media_place="path")),
    "media-cdn hmac query": (Scheme.MEDIA_CDN, SignerOptions(media_algorithm="hmac-sha256", media_place="query")),
    "ome": (Scheme.OME, SignerOptions()),
    "hmac": (Scheme.HMAC, SignerOptions()),
}
# What parsers stumble over, more often than chance would bring it up.
_PIECES = (
    "",
    "=",
    "&",
    "~",
    ":",
    "/",
    "?",
    "%2e",
    "..",
    "\\",
    "%",
    "\x00",
    "\n",
    "ü",
    "\ud800",
    "9" * 5000,
    "Signature=",
)


class Target:
    """One form: its verifier, and a request that it lets in."""

    def __init__(self, name: str) -> None:
        scheme, options = FORMS[name]
        short = scheme in {Scheme.CLOUD_CDN, Scheme.CLOUD_CDN_COOKIE}
        self.scheme = scheme
        self.key = SigningKey("primary", bytes(range(16 if short else 32)))
        self.signer: Signer = make_signer(scheme, Keyring(self.key), options)
        self.grant = self.signer.sign(PREFIX, EXPIRES)
        self.url = self.grant.url("master.m3u8")
        self.cookies = "; ".join(f"{cookie.name}={cookie.value}" for cookie in self.grant.cookies)

    def may_pass(self, url: str, cookies: str) -> bool:
        """Is the grant still whole, and still for what was granted? Told by comparing text, not by verifying."""
        grant = self.grant
        if self.scheme is Scheme.CLOUD_CDN and url == _whole(self.key):
            return True
        if not isinstance(grant, PrefixGrant):  # ome, which signs each URL whole
            return url == self.url
        if self.scheme is Scheme.HMAC:  # which does not sign how the host was spelt, nor whether it was asked with TLS
            rest = url.partition("://")[2]
            below = rest[: len(HOST)].lower() == HOST and rest[len(HOST) :].startswith(FOLDER)
        else:
            below = url.startswith(grant.base)
        query = not grant.query or f"&{grant.query}&" in f"&{url.partition('?')[2]}&"
        sent = [pair.strip() for pair in cookies.split(";")]
        return below and query and (not self.cookies or self.cookies in sent)


def main() -> int:
    arguments = sys.argv[1:]
    cases = 50_000 if "--quick" in arguments else CASES
    chosen = arguments[arguments.index("--seed") + 1] if "--seed" in arguments else None
    seed = int(chosen) if chosen else random.randrange(2**32)
    figures = [*measure(cases, seed), *signing_rotation.measure(FORMS)]
    report(figures)
    return 0 if all(figure.met for figure in figures) else 1


def measure(cases: int, seed: int) -> list[Figure]:
    """Run them, and say what each form answered."""
    dice = random.Random(seed)
    note(f"seed {seed}")
    raised = wrong = done = 0
    for name in FORMS:
        target = Target(name)
        if target.signer.verify(target.url, NOW, target.cookies) is not Verdict.VALID:
            raise AssertionError(f"{name} does not let in what it signed itself")
        verdicts: Counter[str] = Counter()
        began = time.perf_counter()
        for _ in range(cases // len(FORMS)):
            url, cookies = _case(dice, target)
            done += 1
            try:
                verdict = target.signer.verify(url, NOW, cookies)
            except Exception as error:  # noqa: BLE001 - this is what is being looked for
                raised += 1
                note(f"{name} raised {type(error).__name__} for {url!r} {cookies!r}")
                continue
            verdicts[verdict] += 1
            if verdict is Verdict.VALID and not target.may_pass(url, cookies):
                wrong += 1
                note(f"{name} let in {url!r} {cookies!r}")
        took = time.perf_counter() - began
        found = ", ".join(f"{count} {verdict}" for verdict, count in verdicts.most_common())
        note(f"{name}: {found} in {took:.1f} s")
    return [
        Figure("signing_fuzz_cases", done, cases // len(FORMS) * len(FORMS), at_least=True),
        Figure("signing_fuzz_raised", raised, 0, at_least=False),
        Figure("signing_fuzz_wrongly_let_in", wrong, 0, at_least=False),
    ]


def _case(dice: random.Random, target: Target) -> tuple[str, str]:
    kind = dice.random()
    if kind < 0.66:
        if target.cookies and dice.random() < 0.5:
            return target.url, _changed(dice, target.cookies)
        return _changed(dice, target.url), target.cookies
    if kind < 0.83:
        return _text(dice), _text(dice)
    return _NONSENSE[target.scheme](dice, target.key)


def _changed(dice: random.Random, text: str) -> str:
    start = dice.randrange(len(text) + 1)
    end = min(len(text), start + dice.choice((0, 1, 1, 2, 8, 40)))
    piece = dice.choice((_text, _piece, _doubled(text[start:end])))(dice)
    return text[:start] + piece + text[end:]


def _doubled(part: str) -> Callable[[random.Random], str]:
    return lambda _: part * 2


def _piece(dice: random.Random) -> str:
    return dice.choice(_PIECES)


def _text(dice: random.Random) -> str:
    highest = dice.choice((128, 128, 128, 0x11_0000))
    return "".join(chr(dice.randrange(highest)) for _ in range(dice.randrange(6)))


def _printable(dice: random.Random) -> str:
    return dice.choice((_piece(dice), _text(dice))).encode(errors="replace").decode()


def _cloud_cdn(dice: random.Random, key: SigningKey) -> tuple[str, str]:
    if dice.random() < 0.5:  # the other form that this verifier takes: one whole URL
        return _changed(dice, _whole(key)), ""
    query = seal_prefix(key, _printable(dice), dice.randrange(-(10**20), 10**20), "&")
    return f"{PREFIX}a?{query}", ""


def _whole(key: SigningKey) -> str:
    return CloudCdnSigner(Keyring(key)).sign_url(f"{PREFIX}a", EXPIRES)


def _cookie(dice: random.Random, key: SigningKey) -> tuple[str, str]:
    return f"{PREFIX}a", f"{NAME}={seal_prefix(key, _printable(dice), dice.randrange(10**20), ':')}"


def _media_cdn(dice: random.Random, key: SigningKey) -> tuple[str, str]:
    seal = Seal(Algorithm.HMAC_SHA256)  # a wrong one for the Ed25519 forms, which is as good a case
    token = make_token(seal, key, dice.choice(list(Scope)), _printable(dice), dice.randrange(-(10**20), 10**20))
    return f"{PREFIX}a?edge-cache-token={token}", ""


def _ome(dice: random.Random, key: SigningKey) -> tuple[str, str]:
    policies = ("{}", "[]", "null", "1e999", '{"url_expire":1.5}', '{"url_expire":"x"}', '{"url_expire":true}', "{")
    return seal_url(key, f"{PREFIX}a", encode(dice.choice((*policies, _printable(dice))).encode())), ""


def _hmac(dice: random.Random, key: SigningKey) -> tuple[str, str]:
    signer = make_signer(Scheme.HMAC, Keyring(key), SignerOptions())
    return signer.sign(f"http://{_printable(dice)}/{_printable(dice)}", dice.randrange(-(10**20), 10**20)).url("a"), ""


_NONSENSE: dict[Scheme, Callable[[random.Random, SigningKey], tuple[str, str]]] = {
    Scheme.CLOUD_CDN: _cloud_cdn,
    Scheme.CLOUD_CDN_COOKIE: _cookie,
    Scheme.MEDIA_CDN: _media_cdn,
    Scheme.OME: _ome,
    Scheme.HMAC: _hmac,
}

if __name__ == "__main__":
    sys.exit(main())
