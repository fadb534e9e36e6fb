"""Who may watch what: every refusal, and the edges between them."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streaming_service.domain.access import HTTP_STATUS, READ_SCOPE, Refusal, Viewer, check_content, check_viewer
from streaming_service.domain.content import AvailabilityWindow, GeoRestrictions

NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
SECOND = timedelta(seconds=1)
READER = Viewer("u", frozenset({READ_SCOPE}))


def viewer(**fields: object) -> Viewer:
    return Viewer(user_id="u", scopes=frozenset({READ_SCOPE}), **fields)  # pyright: ignore[reportArgumentType]


@pytest.mark.parametrize(
    ("candidate", "refusal"),
    [
        (READER, None),
        (viewer(expires_at=NOW + SECOND), None),
        (viewer(expires_at=NOW), Refusal.INACTIVE_TOKEN),
        (viewer(expires_at=NOW - SECOND), Refusal.INACTIVE_TOKEN),
        (Viewer("u", frozenset()), Refusal.MISSING_SCOPE),
        (Viewer("u", frozenset({"streams.write", "STREAMS.READ"})), Refusal.MISSING_SCOPE),
        (Viewer("u", frozenset(), expires_at=NOW), Refusal.INACTIVE_TOKEN),
    ],
)
def test_the_viewer_alone(candidate: Viewer, refusal: Refusal | None) -> None:
    assert check_viewer(candidate, NOW) is refusal


@pytest.mark.parametrize(
    ("entitlements", "required", "refusal"),
    [
        ((), False, None),
        ((), True, Refusal.NOT_ENTITLED),
        (("this",), False, None),
        (("this",), True, None),
        (("other", "this"), False, None),
        (("other",), False, Refusal.NOT_ENTITLED),
        (("",), False, Refusal.NOT_ENTITLED),
    ],
)
def test_entitlements(entitlements: tuple[str, ...], required: bool, refusal: Refusal | None) -> None:
    who = viewer(entitlements=entitlements)

    assert check_content("this", None, None, who, None, NOW, entitlement_required=required) is refusal


@pytest.mark.parametrize(
    ("starts", "ends", "refusal"),
    [
        (None, None, None),
        (NOW, None, None),
        (NOW + SECOND, None, Refusal.NOT_YET_AVAILABLE),
        (None, NOW + SECOND, None),
        (None, NOW, Refusal.NO_LONGER_AVAILABLE),
        (NOW + SECOND, NOW - SECOND, Refusal.NO_LONGER_AVAILABLE),
    ],
)
def test_the_window(starts: datetime | None, ends: datetime | None, refusal: Refusal | None) -> None:
    assert check_content("this", AvailabilityWindow(starts, ends), None, READER, None, NOW) is refusal


@pytest.mark.parametrize(
    ("allow", "deny", "country", "claimed", "refused"),
    [
        ((), (), None, None, False),
        (("DE",), (), "DE", None, False),
        (("DE",), (), "US", None, True),
        (("DE",), (), None, "DE", False),
        (("DE",), (), None, None, True),
        (("DE",), (), "US", "DE", True),
        (("DE",), (), "DE", "US", False),
        ((), ("US",), "US", "DE", True),
        ((), ("US",), "DE", "US", False),
        ((), ("US",), None, None, True),
        (("US",), ("US",), "US", None, True),
    ],
)
def test_countries(
    allow: tuple[str, ...],
    deny: tuple[str, ...],
    country: str | None,
    claimed: str | None,
    refused: bool,
) -> None:
    verdict = check_content("this", None, GeoRestrictions(allow, deny), viewer(country=country), claimed, NOW)

    assert verdict is (Refusal.COUNTRY_BLOCKED if refused else None)


_COUNTRIES = st.sampled_from(["DE", "US", "FR"])


@given(
    allow=st.lists(_COUNTRIES).map(tuple),
    deny=st.lists(_COUNTRIES).map(tuple),
    country=_COUNTRIES,
    claims=st.lists(st.none() | _COUNTRIES, min_size=2, max_size=2),
)
def test_a_viewer_whose_country_is_known_cannot_choose_another(
    allow: tuple[str, ...], deny: tuple[str, ...], country: str, claims: list[str | None]
) -> None:
    geo, who = GeoRestrictions(allow, deny), viewer(country=country)
    first, second = (check_content("this", None, geo, who, claim, NOW) for claim in claims)

    assert first is second


def test_every_refusal_has_its_status() -> None:
    assert HTTP_STATUS.keys() == set(Refusal)
    assert {HTTP_STATUS[refusal] for refusal in Refusal} == {401, 403, 404, 409, 410, 451, 502, 503}
