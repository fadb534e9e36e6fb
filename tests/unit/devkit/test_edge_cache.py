"""What the edge keeps, for how long, and how it forgets."""

import pytest

from streaming_service.devkit.edge_cache import CachedAnswer, EdgeCache, max_age


def answer(path: str, size: int = 1, until: float = 100) -> CachedAnswer:
    return CachedAnswer(path, b"x" * size, {}, until)


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        ("", 0),
        ("max-age=30", 30),
        ("public, Max-Age=30", 30),
        ('max-age="5"', 5),
        ("max-age=30, s-maxage=5", 5),
        ("s-maxage=0, max-age=30", 0),
        ("max-age=30, private", 0),
        ("no-store, max-age=30", 0),
        ("no-cache", 0),
        ("max-age=-1", 0),
        ("max-age=soon", 0),
        ("max-age=99999999999999", 0),
        ("x-max-age=5", 0),
    ],
)
def test_max_age(header: str, seconds: int) -> None:
    assert max_age(header) == seconds


def test_an_answer_is_kept_until_it_is_stale() -> None:
    cache = EdgeCache()
    cache.keep("/a", answer("/a", until=100))

    assert cache.find("/a", 99.9) == answer("/a", until=100)
    assert cache.find("/a", 100) is None
    assert len(cache) == 0


def test_the_least_recently_used_goes_first() -> None:
    cache = EdgeCache(limit=10)
    cache.keep("/a", answer("/a", 4))
    cache.keep("/b", answer("/b", 4))
    cache.find("/a", 0)
    cache.keep("/c", answer("/c", 4))

    assert [bool(cache.find(key, 0)) for key in ("/a", "/b", "/c")] == [True, False, True]


def test_replacing_an_answer_frees_its_room() -> None:
    cache = EdgeCache(limit=10)
    for _ in range(5):
        cache.keep("/a", answer("/a", 6))
    cache.keep("/b", answer("/b", 4))

    assert len(cache) == 2


@pytest.mark.parametrize(
    ("pattern", "left"),
    [
        ("/r/s-1/a", ["/r/s-1/b", "/r/s-10/a", "/x"]),
        ("/r/s-1/*", ["/r/s-10/a", "/x"]),
        ("/r/s-1/", ["/r/s-10/a", "/x"]),
        ("/*", []),
        ("/r/s-?/a", ["/r/s-1/a", "/r/s-1/b", "/r/s-10/a", "/x"]),
        ("/r/[s]-1/a", ["/r/s-1/a", "/r/s-1/b", "/r/s-10/a", "/x"]),
        ("/nothing", ["/r/s-1/a", "/r/s-1/b", "/r/s-10/a", "/x"]),
    ],
)
def test_purging_by_path(pattern: str, left: list[str]) -> None:
    cache = EdgeCache()
    paths = ["/r/s-1/a", "/r/s-1/b", "/r/s-10/a", "/x"]
    for path in paths:
        cache.keep(f"{path}?q=1", answer(path))

    assert cache.purge(pattern) == len(paths) - len(left)
    assert [path for path in paths if cache.find(f"{path}?q=1", 0)] == left
