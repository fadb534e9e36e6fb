from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streaming_service.adapters.store.paging import (
    AfterChannel,
    BeforeDeadLetter,
    BeforeDelivery,
    from_cursor,
    to_cursor,
)
from streaming_service.errors import InvalidInput

NUMBERS = st.integers(-(2**63), 2**63 - 1)
TEXTS = st.text(st.characters(exclude_categories=["Cs"]))
SHAPES: tuple[Any, ...] = (AfterChannel, BeforeDelivery, BeforeDeadLetter)


@given(
    st.builds(AfterChannel, TEXTS) | st.builds(BeforeDelivery, NUMBERS) | st.builds(BeforeDeadLetter, NUMBERS, TEXTS)
)
def test_a_cursor_leads_back_to_its_position_and_to_no_other_listing(
    position: Any,
):
    cursor = to_cursor(position)

    assert set(cursor) <= set("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_")
    assert from_cursor(cursor, type(position)) == position
    for shape in SHAPES:
        if shape is not type(position):
            with pytest.raises(InvalidInput):
                from_cursor(cursor, shape)


@given(st.text())
def test_any_other_text_is_refused(cursor: str):
    for shape in SHAPES:
        with pytest.raises(InvalidInput) as caught:
            from_cursor(cursor, shape)
        assert caught.value.field == "cursor"
