"""Standard Webhooks, both sides."""

from datetime import UTC, datetime, timedelta

import pytest
from standardwebhooks import Webhook

from streaming_service.adapters.sealing import Sealer
from streaming_service.errors import ConfigurationError, InvalidInput

NOW = datetime(2026, 11, 22, 12, 0, 0, tzinfo=UTC)
OLD = "whsec_b2xkIHNlY3JldCBvZiB0d2VudHktZm91ciE="
NEW = "whsec_bmV3IHNlY3JldCBvZiB0d2VudHktZm91ciE="
BODY = b'{"a": 1}'


def sealer(*secrets: str) -> Sealer:
    return Sealer(secrets, "PROBE_AGENT_SECRET")


def test_what_is_sealed_is_accepted_and_has_its_id() -> None:
    headers = sealer(NEW).headers("id-1", BODY, NOW)
    assert sealer(NEW).check(headers, BODY, NOW + timedelta(seconds=299)) == "id-1"


def test_others_who_know_the_standard_accept_it() -> None:
    now = datetime.now(UTC)
    assert Webhook(NEW).verify(BODY, sealer(NEW).headers("id-1", BODY, now)) == {"a": 1}


def test_while_a_secret_is_rotated_either_side_may_be_first() -> None:
    assert sealer(NEW, OLD).check(sealer(OLD).headers("id", BODY, NOW), BODY, NOW) == "id"
    assert sealer(OLD).check(sealer(NEW, OLD).headers("id", BODY, NOW), BODY, NOW) == "id"


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"webhook-id": "id-2"}, "webhook-signature"),
        ({"webhook-id": ""}, "webhook-id"),
        ({"webhook-timestamp": str(int(NOW.timestamp()) + 301)}, "webhook-timestamp"),
        ({"webhook-timestamp": ""}, "webhook-timestamp"),
        ({"webhook-timestamp": "soon"}, "webhook-timestamp"),
        ({"webhook-timestamp": str(int(NOW.timestamp()) + 1)}, "webhook-signature"),
        ({"webhook-signature": ""}, "webhook-signature"),
        ({"webhook-signature": "v1,ä"}, "webhook-signature"),
    ],
)
def test_any_other_header_breaks_it(changes: dict[str, str], field: str) -> None:
    headers = sealer(NEW).headers("id-1", BODY, NOW) | changes
    with pytest.raises(InvalidInput) as caught:
        sealer(NEW).check(headers, BODY, NOW)
    assert caught.value.field == field


def test_any_other_body_or_secret_or_hour_breaks_it() -> None:
    headers = sealer(NEW).headers("id-1", BODY, NOW)
    for opened, body, now in (
        (sealer(NEW), BODY + b" ", NOW),
        (sealer(NEW), b"\xff", NOW),
        (sealer(OLD), BODY, NOW),
        (sealer(NEW), BODY, NOW + timedelta(seconds=301)),
        (sealer(NEW), BODY, NOW - timedelta(seconds=301)),
    ):
        with pytest.raises(InvalidInput):
            opened.check(headers, body, now)


def test_without_a_secret_nothing_is_signed_and_nothing_accepted() -> None:
    nobody = sealer()
    assert not nobody
    assert nobody.headers("id", BODY, NOW) == {}
    with pytest.raises(InvalidInput):
        nobody.check(sealer(NEW).headers("id", BODY, NOW), BODY, NOW)


def test_a_secret_that_is_none_names_its_variable() -> None:
    with pytest.raises(ConfigurationError, match="PROBE_AGENT_SECRET"):
        sealer("whsec_!")
    with pytest.raises(ConfigurationError, match="PROBE_AGENT_SECRET"):
        sealer("whsec_")
