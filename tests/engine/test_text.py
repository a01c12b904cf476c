"""Text from outside carries no control characters, whatever it brings."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.domain.text import REPLACEMENT, UNSAFE, clean_text


POINTS = """
00 09 0A 1B 1F 7F 80 9B 9F 61C 200B 200F 2028 202A 202E 2066 2069 FEFF D800 DFFF E0041
""".split()


@pytest.mark.parametrize("point", POINTS)
def test_an_unsafe_character_becomes_the_replacement(point: str) -> None:
    assert clean_text(f"a{chr(int(point, 16))}b") == f"a{REPLACEMENT}b"


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
