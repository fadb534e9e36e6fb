"""Comparing tokens."""

from streaming_service.entrypoints.http.auth import Tokens


def test_only_whole_tokens_are_accepted() -> None:
    tokens = Tokens(["first-token", "second-token"])
    assert tokens.accept("first-token")
    assert tokens.accept("second-token")
    assert not any(map(tokens.accept, ("", "first", "first-token ", "first-token,second-token", "FIRST-TOKEN", "é")))


def test_no_tokens_accept_nothing() -> None:
    assert not Tokens([])
    assert not Tokens([]).accept("")


def test_tokens_are_not_kept() -> None:
    assert "first-token" not in repr(vars(Tokens(["first-token"])))
