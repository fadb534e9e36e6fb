import pytest
from msgspec.structs import replace

from streaming_service.application.ports import LISTED_BYTES, ListedDeadLetter, Store
from tests.contract.store.builders import NOW, SECOND, letter

pytestmark = pytest.mark.anyio


@pytest.mark.parametrize("data", [b"", b"\x00", bytes(range(256)) * 300, '{"a": "ü"}'.encode()])
async def test_a_letter_is_kept_byte_for_byte(store: Store, data: bytes):
    await store.add_dead_letter(letter(1, data))

    kept = await store.get_dead_letter("letter-001")

    assert kept == letter(1, data)
    assert kept is not None
    assert type(kept.data) is bytes


async def test_text_of_any_kind_is_kept(store: Store):
    odd = replace(
        letter(1),
        reason="field \x00 \ud800 😀 \N{LINE SEPARATOR}",
        field="",
        source="\x00",
        message_id="\udcff",
        attributes={"\x00": "\ud800", "": "ü"},
    )
    await store.add_dead_letter(odd)

    assert await store.get_dead_letter(odd.id) == odd


async def test_the_same_letter_again_changes_nothing(store: Store):
    await store.add_dead_letter(letter(1, b"first"))
    await store.add_dead_letter(letter(1, b"again"))

    assert await store.count_dead_letters() == 1
    assert await store.get_dead_letter("letter-001") == letter(1, b"first")


async def test_letters_are_listed_newest_first_in_pages(store: Store):
    # Two of the same moment, so that a page may end between them.
    for number, moment in ((1, NOW), (4, NOW + SECOND), (2, NOW + SECOND), (3, NOW + SECOND), (5, NOW - SECOND)):
        await store.add_dead_letter(letter(number, at=moment))
    seen: list[ListedDeadLetter] = []
    cursor = None
    for _ in range(3):
        page, cursor = await store.list_dead_letters(2, cursor)
        seen += page

    assert [item.id[-1] for item in seen] == ["4", "3", "2", "1", "5"]
    assert seen[3] == letter(1).listed()
    assert cursor is None


async def test_lists_leave_long_messages_out_and_say_how_long_they_are(store: Store):
    lengths = (0, LISTED_BYTES, LISTED_BYTES + 1, 10_000_000)
    for number, length in enumerate(lengths):
        await store.add_dead_letter(letter(number, b"\xff" * length))

    seen, _ = await store.list_dead_letters(9, None)

    assert [(item.size, item.data) for item in reversed(seen)] == [
        (0, b""),
        (LISTED_BYTES, b"\xff" * LISTED_BYTES),
        (LISTED_BYTES + 1, None),
        (10_000_000, None),
    ]
    for number, length in enumerate(lengths):
        assert await store.get_dead_letter(f"letter-{number:03}") == letter(number, b"\xff" * length)


async def test_deleting(store: Store):
    await store.add_dead_letter(letter(1))
    await store.add_dead_letter(letter(2))

    assert await store.delete_dead_letter("letter-001")
    assert not await store.delete_dead_letter("letter-001")
    assert await store.get_dead_letter("letter-001") is None
    assert await store.count_dead_letters() == 1
