"""Texts of settings, parsed."""

import pytest
from pydantic import SecretStr

from streaming_service.setting_values import each_of, parse_networks


@pytest.mark.parametrize(
    ("text", "secrets"),
    [(None, ()), ("", ()), ("a", ("a",)), ("a,b", ("a", "b")), (" a , ,b,", ("a", "b"))],
)
def test_a_secret_that_is_rotated_is_several(text: str | None, secrets: tuple[str, ...]) -> None:
    assert each_of(None if text is None else SecretStr(text)) == secrets


def test_no_network_has_a_name() -> None:
    assert parse_networks("none") == parse_networks("") == ()
    assert [str(network) for network in parse_networks("10.0.0.0/8, ::1/128")] == ["10.0.0.0/8", "::1/128"]
    with pytest.raises(ValueError, match=r"10\.0\.0\.0/8"):
        parse_networks("nobody")
