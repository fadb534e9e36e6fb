"""Object URIs and mounts: nothing that is let through may leave its folder."""

import posixpath

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from streaming_service.domain.source import MediaMounts, Mount, ObjectUri, parse_mounts, parse_object_uri
from streaming_service.errors import InvalidInput

ANY_TEXT = st.text(alphabet=st.characters(), max_size=60)  # surrogates too: JSON can spell them
KEYS = st.one_of(ANY_TEXT, st.lists(st.sampled_from([*"/.%\\?#\0\u202e ", "..", "a", "é"]), max_size=20).map("".join))


def test_bucket_and_key_are_taken_apart() -> None:
    assert parse_object_uri("gs://uploads/2026/film 1.mp4", "storageUrl") == ObjectUri("uploads", "2026/film 1.mp4")


def test_it_is_written_as_it_was_read() -> None:
    assert str(parse_object_uri("gs://uploads/a/b.mp4", "storageUrl")) == "gs://uploads/a/b.mp4"


@pytest.mark.parametrize(
    "text",
    [
        "",
        "film.mp4",
        "/etc/passwd",
        "file:///etc/passwd",
        "https://uploads/film.mp4",
        "GS://uploads/film.mp4",
        "gs://",
        "gs://uploads",
        "gs://uploads/",
        "gs:///film.mp4",
        "gs://Uploads/film.mp4",
        "gs://up loads/film.mp4",
        "gs://user@uploads/film.mp4",
        "gs://uploads//film.mp4",
        "gs://uploads/a/",
        "gs://uploads/../film.mp4",
        "gs://uploads/a/../../film.mp4",
        "gs://uploads/./film.mp4",
        "gs://uploads/a\\..\\film.mp4",
        "gs://uploads/%2e%2e/film.mp4",
        "gs://uploads/film.mp4?x=1",
        "gs://uploads/film.mp4#t=1",
        'gs://uploads/"film".mp4',
        "gs://uploads/film\n.mp4",
        "gs://uploads/film\0.mp4",
        "gs://uploads/\ud800.mp4",
        "gs://uploads/" + "a" * 1025,
    ],
)
def test_what_is_no_safe_object_uri_is_refused_by_the_senders_name(text: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        parse_object_uri(text, "storageUrl")

    assert caught.value.field == "storageUrl"


@settings(deadline=None)
@given(bucket=st.one_of(ANY_TEXT, st.just("uploads")), key=KEYS)
@example(bucket="uploads", key="a/..")
def test_whatever_is_accepted_stays_below_its_mount(bucket: str, key: str) -> None:
    mounts = MediaMounts((Mount("uploads", "media/uploads"),))
    try:
        uri = parse_object_uri(f"gs://{bucket}/{key}", "storageUrl")
        path = mounts.media_path(uri, "storageUrl")
    except InvalidInput:
        return

    assert posixpath.normpath(path) == path
    assert path.startswith("media/uploads/")
    assert path.encode().isascii() or path.isprintable()


def test_a_bucket_that_is_not_mounted_is_refused_by_name() -> None:
    with pytest.raises(InvalidInput, match="'elsewhere' is not one of the allowed upload buckets"):
        parse_mounts("gs://uploads=in").media_path(ObjectUri("elsewhere", "a.mp4"), "storageUrl")


def test_a_bucket_may_be_mounted_at_the_media_root_itself() -> None:
    assert parse_mounts("gs://uploads=").media_path(ObjectUri("uploads", "a/b.mp4"), "storageUrl") == "a/b.mp4"


def test_mounts_are_read_as_they_are_configured() -> None:
    mounts = parse_mounts(" gs://uploads=in , gs://other/=a/b/ ,")

    assert mounts == MediaMounts((Mount("uploads", "in"), Mount("other", "a/b")))


def test_no_mounts_at_all_allow_no_bucket() -> None:
    assert parse_mounts("") == MediaMounts()


@pytest.mark.parametrize(
    "text",
    ["uploads=in", "gs://uploads", "gs://UP=in", "gs://uploads=../x", "gs://uploads=a/../b", "gs://a1b=x,gs://a1b=y"],
)
def test_a_wrong_mount_names_the_variable(text: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        parse_mounts(text)

    assert caught.value.field == "OME_MEDIA_MOUNTS"


@settings(deadline=None)
@given(ANY_TEXT)
def test_mounts_raise_nothing_but_invalid_input(text: str) -> None:
    try:
        mounts = parse_mounts(text)
    except InvalidInput:
        return
    for mount in mounts.mounts:
        assert ".." not in mount.folder.split("/")
        assert not mount.folder.startswith("/")
