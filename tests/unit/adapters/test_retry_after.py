"""Both forms of Retry-After, and what is neither."""

from datetime import UTC, datetime

import pytest

from streaming_service.adapters.retry_after import retry_after_seconds

NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        ("0", 0),
        (" 120 ", 120),
        ("999999999999999999999999", 86_400),
        ("Fri, 02 Jan 2026 03:05:05 GMT", 60),
        ("Fri, 02 Jan 2026 03:05:05 -0000", 60),
        ("Fri, 02 Jan 2026 03:00:00 GMT", 0),
        ("Fri, 02 Jan 2099 03:00:00 GMT", 86_400),
        ("Friday, 02-Jan-26 03:05:05 GMT", 60),
        ("", None),
        ("-1", None),
        ("1.5", None),
        ("soon", None),
        ("٣", None),
        ("Fri, 99 Jan 2026 03:05:05 GMT", None),
        ("Fri, 02 Jan 2026 03:05:05 +9999999999", None),
    ],
)
def test_seconds_to_wait(value: str, seconds: float | None):
    assert retry_after_seconds({"retry-after": value}, NOW) == seconds


def test_no_header_is_no_wish():
    assert retry_after_seconds({}, NOW) is None
