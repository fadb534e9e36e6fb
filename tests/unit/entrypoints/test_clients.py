"""Whom a request comes from, behind whichever proxies."""

from ipaddress import ip_network
from typing import Any

import pytest

from streaming_service.domain.guessing import Guesses
from streaming_service.entrypoints.http.clients import Clients, asker_of, nobody_guesses

PROXIES = (ip_network("10.0.0.0/8"), ip_network("35.191.0.0/16"), ip_network("203.0.113.9/32"), ip_network("fd00::/8"))


@pytest.mark.parametrize(
    ("peer", "forwarded", "client"),
    [
        ("192.0.2.1", None, "192.0.2.1"),
        ("192.0.2.1", "198.51.100.1", "192.0.2.1"),
        ("10.1.1.1", "198.51.100.1", "198.51.100.1"),
        ("10.1.1.1", None, "10.1.1.1"),
        ("10.1.1.1", "1.1.1.1, 198.51.100.1", "198.51.100.1"),
        ("35.191.2.3", "1.1.1.1,198.51.100.1,203.0.113.9", "198.51.100.1"),
        ("35.191.2.3", "1.1.1.1, 198.51.100.1, 10.2.2.2,203.0.113.9", "198.51.100.1"),
        ("10.1.1.1", "10.3.3.3, 10.2.2.2", "10.3.3.3"),
        ("10.1.1.1", "198.51.100.1:4711", "198.51.100.1"),
        ("10.1.1.1", "[2001:db8::1]:4711", "2001:db8::/64"),
        ("fd00::5", "2001:db8::1", "2001:db8::/64"),
        ("::ffff:10.1.1.1", "198.51.100.1", "198.51.100.1"),
        ("10.1.1.1", "invented, unknown", "unknown"),
    ],
)
def test_the_client_is_the_first_from_the_end_that_is_no_proxy(peer: str, forwarded: str | None, client: str) -> None:
    assert Clients(Guesses(1), PROXIES, lambda: 0.0)._client(peer, forwarded) == client


def test_nobody_is_limited_behind_a_proxy_that_nobody_named(capsys: pytest.CaptureFixture[str]) -> None:
    clients = Clients(Guesses(1), None, lambda: 1000.0)
    for _ in range(5):
        clients.strike("192.0.2.1", "198.51.100.1")
        assert clients.wait("192.0.2.1", "198.51.100.1") == 0.0
    clients.strike("192.0.2.1", None)

    assert clients.wait("192.0.2.1", None) > 0
    assert capsys.readouterr().out.count("TRUSTED_PROXIES") == 1


def test_a_header_is_not_believed_where_no_proxy_is_trusted() -> None:
    clients = Clients(Guesses(1), (), lambda: 1000.0)
    clients.strike("192.0.2.1", "198.51.100.1")

    assert clients.wait("192.0.2.1", "198.51.100.2") > 0
    assert clients.wait("192.0.2.2", "198.51.100.1") == 0.0


def test_who_has_no_address_is_not_limited() -> None:
    clients = Clients(Guesses(1), (), lambda: 1000.0)
    clients.strike("", None)

    assert not clients
    assert not nobody_guesses()


@pytest.mark.parametrize(
    ("scope", "asker"),
    [
        ({"client": ("192.0.2.1", 80), "headers": []}, ("192.0.2.1", None)),
        ({"client": None, "headers": []}, ("", None)),
        (
            {
                "client": ("::1", 80),
                "headers": [(b"x-forwarded-for", b"a"), (b"host", b"x"), (b"x-forwarded-for", b"b")],
            },
            ("::1", "a,b"),
        ),
    ],
)
def test_several_headers_are_one_list(scope: Any, asker: Any) -> None:
    assert asker_of(scope) == asker
