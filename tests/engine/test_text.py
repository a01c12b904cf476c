"""Text from outside carries no control characters, whatever it brings."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.domain.text import REPLACEMENT, UNSAFE, clean_text

POINTS = [0, 9, 0xA, 0x1B, 0x1F, 0x7F, 0x80, 0x9B, 0x9F, 0x61C, 0x200B, 0x200F, 0x2028]
POINTS += [0x202A, 0x202E, 0x2066, 0x2069, 0xFEFF, 0xD800, 0xDFFF, 0xE0041]


@pytest.mark.parametrize("point", POINTS)
def test_an_unsafe_character_becomes_the_replacement(point: int) -> None:
    assert clean_text(f"a{chr(point)}b") == f"a{REPLACEMENT}b"


@pytest.mark.parametrize(
    "text", ["", " ", "~", "\u00a0", "é", "中", "[/x]", "[@click=app.quit]", "😀"]
)
def test_everything_else_stays(text: str) -> None:
    assert clean_text(text) == text


@pytest.mark.parametrize(("length", "expected"), [(499, "a" * 499), (500, "a" * 500)])
def test_a_text_up_to_the_limit_is_whole(length: int, expected: str) -> None:
    assert clean_text("a" * length) == expected


def test_a_longer_text_is_cut_to_the_limit_and_says_so() -> None:
    assert clean_text("a" * 501) == "a" * 499 + "…"


@given(st.text(alphabet=st.characters(), max_size=600), st.integers(1, 600))
def test_the_result_is_safe_short_and_stable(text: str, limit: int) -> None:
    once = clean_text(text, limit)
    assert not UNSAFE.search(once)
    assert len(once) <= limit
    assert clean_text(once, limit) == once
