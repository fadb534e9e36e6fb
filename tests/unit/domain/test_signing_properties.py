"""What holds for every scheme in each of its forms: nothing that is signed may change, and nothing is raised."""

from typing import cast

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from streaming_service.domain.signing.cloud_cdn import seal_prefix
from streaming_service.domain.signing.cloud_cdn_cookie import NAME
from streaming_service.domain.signing.forms import encode
from streaming_service.domain.signing.keyring import Keyring, RetiredKey, SigningKey
from streaming_service.domain.signing.media_cdn_token import Algorithm, Scope, Seal, make_token
from streaming_service.domain.signing.ome import OmeGrant, encode_policy, seal_url
from streaming_service.domain.signing.scheme import PrefixGrant, UrlSigner, Verdict
from streaming_service.errors import InvalidInput
from tests.signing import FORMS, header, key, request, signer

EXPIRES = 1_800_000_000
PREFIX = "http://cdn.example:8080/reels/sid-1/"
NAMES = ("master.m3u8", "video/chunk.m3u8", "seg_1.m4s", "a..b", "...")
ANYTHING = st.text(st.characters(exclude_categories=()))

every_form = pytest.mark.parametrize("form", FORMS)


@every_form
def test_one_grant_covers_everything_below_the_prefix(form: str) -> None:
    subject = signer(form)
    grant = subject.sign(PREFIX, EXPIRES)

    for name in NAMES:
        assert subject.verify(grant.url(name), EXPIRES - 1, header(grant.cookies)) is Verdict.VALID


@every_form
def test_it_ends_at_the_second(form: str) -> None:
    subject = signer(form)
    url, cookies = request(subject.sign(PREFIX, EXPIRES), "a")

    assert subject.verify(url, EXPIRES - 1, cookies) is Verdict.VALID
    assert subject.verify(url, EXPIRES, cookies) is Verdict.EXPIRED


@every_form
def test_without_a_grant_it_is_unsigned(form: str) -> None:
    for url in (f"{PREFIX}a", f"{PREFIX}a?", f"{PREFIX}a?b=c", ""):
        assert signer(form).verify(url, 0) is Verdict.UNSIGNED


@pytest.mark.parametrize(
    "place",
    ["../sid-2/a", "x/../../sid-2/a", "./a", "%2e%2e/sid-2/a", "%2E./sid-2/a", "..%2fsid-2/a", "..%5csid-2/a"],
)
@pytest.mark.parametrize("form", [form for form in FORMS if form != "ome"])
def test_nothing_beside_the_prefix_in_any_spelling(form: str, place: str) -> None:
    url, cookies = request(signer(form).sign(PREFIX, EXPIRES), place)

    assert signer(form).verify(url, EXPIRES - 1, cookies) is Verdict.OTHER_PATH


@pytest.mark.parametrize(
    "elsewhere",
    [
        "http://cdn.example:8080/reels/sid-2/",
        "http://cdn.example:8080/reels/sid-10/",
        "http://cdn.example:8080/reels/",
        "http://evil.example:8080/reels/sid-1/",
        "http://cdn.example:8081/reels/sid-1/",
        "http://cdn.example/reels/sid-1/",
    ],
)
@every_form
def test_no_grant_is_good_elsewhere(form: str, elsewhere: str) -> None:
    subject = signer(form)
    url, cookies = request(subject.sign(PREFIX, EXPIRES), "a")

    assert subject.verify(url.replace(PREFIX, elsewhere), EXPIRES - 1, cookies) is not Verdict.VALID


@every_form
@given(data=st.data())
def test_no_changed_character_survives(form: str, data: st.DataObject) -> None:
    """Neither of the prefix nor of the grant, wherever that stands: replaced or left out."""
    subject = signer(form)
    grant = subject.sign(PREFIX, EXPIRES, "0f8fad5b-d9cb-469f-a165-70867728950e")
    url, cookies = request(grant, "a")
    in_cookie = bool(cookies) and data.draw(st.booleans())
    text = cookies if in_cookie else url
    position = data.draw(st.sampled_from(_signed_positions(form, grant, url, in_cookie=in_cookie)))
    character = data.draw(st.one_of(st.just(""), st.characters()).filter(lambda other: other != text[position]))
    changed = f"{text[:position]}{character}{text[position + 1 :]}"

    verdict = subject.verify(url, 0, changed) if in_cookie else subject.verify(changed, 0, cookies)
    assert verdict is not Verdict.VALID


def _signed_positions(form: str, grant: object, url: str, *, in_cookie: bool) -> list[int]:
    if in_cookie:
        assert isinstance(grant, PrefixGrant)
        return list(range(len(header(grant.cookies))))
    if isinstance(grant, OmeGrant):
        return list(range(len(url)))
    assert isinstance(grant, PrefixGrant)
    # `hmac` signs the host, not whether it was asked with TLS or in which case it was written.
    start = len("http://cdn.example") if form == "hmac" else 0
    in_query = range(len(grant.base) + len("a?"), len(url))
    return [*range(start, len(grant.base)), *in_query]


@every_form
@given(secret=st.binary(min_size=16, max_size=32))
def test_no_other_key_signs_for_it(form: str, secret: bytes) -> None:
    own = key(form)
    if len(own.secret) == 32:
        secret = (secret * 2)[:32]
    other = SigningKey(own.id, secret[: len(own.secret)])
    url, cookies = request(signer(form, Keyring(other)).sign(PREFIX, EXPIRES), "a")

    verdict = signer(form).verify(url, 0, cookies)
    assert verdict is (Verdict.VALID if other == own else Verdict.WRONG_SIGNATURE)


@every_form
@given(later=st.integers(0, 10**14))
def test_no_other_expiry_is_believed(form: str, later: int) -> None:
    subject = signer(form)
    url, cookies = request(subject.sign(PREFIX, EXPIRES), "a")
    own, other = (encode_policy(at * 1000) if form == "ome" else str(at) for at in (EXPIRES, later))

    changed = url.replace(own, other), cookies.replace(own, other)
    assert (later == EXPIRES) is (changed == (url, cookies))
    assert later == EXPIRES or subject.verify(changed[0], 0, changed[1]) is Verdict.WRONG_SIGNATURE


@given(session=st.from_regex(r"[A-Za-z0-9._~-]{0,64}", fullmatch=True))
def test_hmac_signs_the_session(session: str) -> None:
    subject = signer("hmac")
    url = subject.sign(PREFIX, EXPIRES, "session-1").url("a")
    changed = url.replace("&Session=session-1", f"&Session={session}" if session else "")

    expected = Verdict.VALID if session == "session-1" else Verdict.WRONG_SIGNATURE
    assert subject.verify(changed, 0) is expected
    assert subject.verify(url.replace("&Session=session-1", "&Session="), 0) is Verdict.MALFORMED


@pytest.mark.parametrize("session", ["a b", "a&b", "ü", "x" * 65, "a\n"])
def test_hmac_signs_no_session_that_would_have_to_be_escaped(session: str) -> None:
    with pytest.raises(InvalidInput, match="session"):
        signer("hmac").sign(PREFIX, EXPIRES, session)


@pytest.mark.parametrize("form", [form for form in FORMS if form != "hmac"])
def test_the_others_are_the_same_for_every_session(form: str) -> None:
    assert signer(form).binds_session is False
    assert request(signer(form).sign(PREFIX, EXPIRES, "s"), "a") == request(signer(form).sign(PREFIX, EXPIRES), "a")


# -- nothing is raised ------------------------------------------------------------------------------------------------


@every_form
@given(url=ANYTHING, cookies=ANYTHING, now=st.integers())
def test_no_text_breaks_the_verifier(form: str, url: str, cookies: str, now: int) -> None:
    assert signer(form).verify(url, now, cookies) is not Verdict.VALID


@every_form
@given(data=st.data())
def test_no_text_in_place_of_a_part_breaks_the_verifier(form: str, data: st.DataObject) -> None:
    """Closer to the mark: a valid request in which a piece is replaced by any text."""
    url, cookies = request(signer(form).sign(PREFIX, EXPIRES), "a")
    text = url if not cookies or data.draw(st.booleans()) else cookies
    start, end = sorted((data.draw(st.integers(0, len(text))), data.draw(st.integers(0, len(text)))))
    changed = text[:start] + data.draw(ANYTHING) + text[end:]

    verdict = signer(form).verify(changed, 0, cookies) if text is url else signer(form).verify(url, 0, changed)
    assert isinstance(verdict, Verdict)


@given(prefix=ANYTHING.filter(lambda text: not any("\ud800" <= sign <= "\udfff" for sign in text)), data=st.data())
def test_nothing_that_somebody_else_signed_with_our_key_breaks_the_verifier(prefix: str, data: st.DataObject) -> None:
    """Keys are shared with edges and their tools: what is signed need not make sense."""
    number = data.draw(st.integers())
    short, long = key("cloud-cdn"), key("hmac")

    query = seal_prefix(short, prefix, number, "&")
    assert isinstance(signer("cloud-cdn").verify(f"{PREFIX}a?{query}", 0), Verdict)
    cookie = seal_prefix(short, prefix, number, ":")
    assert isinstance(signer("cloud-cdn-cookie").verify(f"{PREFIX}a", 0, f"{NAME}={cookie}"), Verdict)
    for scope in Scope:
        token = make_token(Seal(Algorithm.HMAC_SHA256), long, scope, prefix, number)
        verdict = signer("media-cdn hmac query").verify(f"{PREFIX}a?edge-cache-token={token}", 0)
        assert isinstance(verdict, Verdict)
    policy = data.draw(
        st.one_of(
            st.just(encode(prefix.encode())),
            st.dictionaries(st.sampled_from(["url_expire", "allow_ip"]), st.one_of(st.none(), st.integers(), st.text()))
            .map(msgspec.json.encode)
            .map(encode),
        )
    )
    assert isinstance(signer("ome").verify(seal_url(long, f"{PREFIX}a", policy), 0), Verdict)


@every_form
@pytest.mark.parametrize("strange", ["ü", "\udc80", "\x00", "", "="])
def test_no_strange_signature_breaks_the_verifier_or_passes(form: str, strange: str) -> None:
    """Everything before it is right; a `=` more is the same bytes for a decoder that does not look."""
    url, cookies = request(signer(form).sign(PREFIX, EXPIRES), "a")
    text = cookies or url
    end = text.index("/a", len(PREFIX)) if "ed25519 path" in form or "hmac path" in form else len(text)
    changed = text[: end - 1] + (text[end - 1] if strange == "=" else "") + strange + text[end:]

    verdict = signer(form).verify(url, 0, changed) if cookies else signer(form).verify(changed, 0)
    assert verdict in {Verdict.MALFORMED, Verdict.WRONG_SIGNATURE}


@pytest.mark.parametrize("form", ["cloud-cdn", "ome"])
def test_a_signature_without_its_value_is_wrong(form: str) -> None:
    subject = signer(form)
    assert isinstance(subject, UrlSigner)
    before, name, _ = subject.sign_url(f"{PREFIX}a", EXPIRES).rpartition("ignature")
    url = before + name

    assert subject.verify(url, 0) is Verdict.WRONG_SIGNATURE
    assert subject.verify(f"{url}=", 0) is Verdict.WRONG_SIGNATURE


def test_an_expiry_of_thousands_of_digits_is_no_expiry() -> None:
    """It is signed, and Python would not even read it."""
    digits = "9" * 5000

    query = seal_prefix(key("cloud-cdn"), PREFIX, cast("int", digits), "&")
    assert signer("cloud-cdn").verify(f"{PREFIX}a?{query}", 0) is Verdict.MALFORMED
    token = make_token(Seal(Algorithm.HMAC_SHA256), key("hmac"), Scope.URL_PREFIX, PREFIX, cast("int", digits))
    assert signer("media-cdn hmac query").verify(f"{PREFIX}a?edge-cache-token={token}", 0) is Verdict.MALFORMED


def test_nothing_may_be_added_to_a_token() -> None:
    url = signer("media-cdn hmac query").sign(PREFIX, EXPIRES).url("a")

    assert signer("media-cdn hmac query").verify(f"{url}~Data=x", 0) is Verdict.MALFORMED


@pytest.mark.parametrize("extra", [{"allow_ip": "192.0.2.1/32"}, {"url_activate": 1}, {"stream_expire": 1}])
def test_a_policy_that_asks_for_more_than_we_check_is_not_let_pass(extra: dict[str, object]) -> None:
    policy = encode(msgspec.json.encode({"url_expire": EXPIRES * 1000, **extra}))

    assert signer("ome").verify(seal_url(key("ome"), f"{PREFIX}a", policy), 0) is Verdict.MALFORMED


@pytest.mark.parametrize("field", ["Starts=1", "IPRanges=MTAuMC4wLjAvOA", "Headers=Foo"])
def test_a_token_that_asks_for_more_than_we_check_is_not_let_pass(field: str) -> None:
    sealed = Seal(Algorithm.HMAC_SHA256).make(key("hmac"), f"PathGlobs=/*~{field}~Expires={EXPIRES}")
    token = f"PathGlobs=/*~{field}~Expires={EXPIRES}~{sealed}"

    assert signer("media-cdn hmac query").verify(f"{PREFIX}a?edge-cache-token={token}", 0) is Verdict.MALFORMED


# -- rotation ---------------------------------------------------------------------------------------------------------


@every_form
def test_a_key_counts_while_it_is_next_active_or_retired_and_no_longer(form: str) -> None:
    keys = {name: key(form, number, name) for number, name in enumerate(("old", "now", "next", "gone"), 1)}
    ring = Keyring(keys["now"], keys["next"], (RetiredKey(keys["old"], until=EXPIRES - 10),))
    given_out = {name: request(signer(form, Keyring(item)).sign(PREFIX, EXPIRES), "a") for name, item in keys.items()}

    def judged(name: str, now: int) -> bool:
        url, cookies = given_out[name]
        return signer(form, ring).verify(url, now, cookies) is Verdict.VALID

    assert [judged(name, EXPIRES - 11) for name in keys] == [True, True, True, False]
    assert [judged(name, EXPIRES - 10) for name in keys] == [False, True, True, False]
    assert request(signer(form, ring).sign(PREFIX, EXPIRES), "a") == given_out["now"]


@pytest.mark.parametrize("form", [form for form in FORMS if form.startswith("media-cdn")])
def test_the_keys_of_a_keyset_share_its_name(form: str) -> None:
    old, now, coming, gone = (key(form, number, "prod-vod") for number in range(1, 5))
    subject = signer(form, Keyring(now, coming, (RetiredKey(old, EXPIRES),)))
    urls = [signer(form, Keyring(item)).sign(PREFIX, EXPIRES).url("a") for item in (old, now, coming, gone)]

    verdicts = [subject.verify(url, EXPIRES - 1) for url in urls]
    assert verdicts == [Verdict.VALID, Verdict.VALID, Verdict.VALID, Verdict.WRONG_SIGNATURE]


@every_form
def test_a_rotation_breaks_no_url_that_was_given_out(form: str) -> None:
    """The steps of docs/signing.md, an hour apart, each URL good for 300 s; signers change one after the other."""
    old, new = key(form, 1, "2026a"), key(form, 2, "2026b")
    hour, ttl = 3600, 300
    steps = [
        (0, Keyring(old), (old,)),
        (hour, Keyring(old, next=new), (old,)),
        # While processes restart with the new key, some sign with the one and some with the other.
        (2 * hour, Keyring(new, retired=(RetiredKey(old, until=3 * hour),)), (old, new)),
        (4 * hour, Keyring(new), (new,)),
    ]
    edge_of = {}
    for at, ring, signers in steps:
        for moment in range(at, at + hour, ttl // 2):
            edge_of[moment] = (signer(form, ring), signers)

    checked = 0
    for moment in sorted(edge_of):
        # During the switch the old key signs until its processes have been restarted, half an hour here.
        signers = edge_of[moment][1] if moment < 2 * hour + hour // 2 else (new,)
        for item in signers:
            url, cookies = request(signer(form, Keyring(item)).sign(PREFIX, moment + ttl), "a")
            for later in range(moment, moment + ttl, ttl // 2):
                if later in edge_of:
                    assert edge_of[later][0].verify(url, later, cookies) is Verdict.VALID
                    checked += 1
    assert checked > 100
