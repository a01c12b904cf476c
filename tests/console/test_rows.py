"""Rows of a table: order, filter and place, however many there are."""

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from console.ui.widgets.rows import Cell, RowKey, Rows, SortValue, make_cells


def put(rows: Rows, key: RowKey, text: str, sort: SortValue = None) -> bool:
    return rows.upsert(key, (Cell(text, sort=sort),))


def view(rows: Rows) -> list[RowKey]:
    found = [rows.at(n) for n in range(rows.shown)]
    return [row.key for row in found if row is not None]


def three() -> Rows:
    rows = Rows()
    for key, value in (("a", Decimal(2)), ("b", None), ("c", Decimal(10))):
        put(rows, key, "-" if value is None else str(value), value)
    return rows


def test_without_an_order_rows_stand_as_they_came() -> None:
    assert view(three()) == ["a", "b", "c"]


@pytest.mark.parametrize(
    ("descending", "expected"), [(False, ["a", "c", "b"]), (True, ["c", "a", "b"])]
)
def test_numbers_sort_by_value_and_what_is_missing_is_last_either_way(
    descending: bool, expected: list[str]
) -> None:
    rows = three()
    rows.sort(0, descending=descending)
    assert view(rows) == expected


def test_newest_first_is_order_of_arrival_downwards() -> None:
    rows = three()
    rows.sort(None, descending=True)
    put(rows, "d", "new")
    assert view(rows) == ["d", "c", "b", "a"]


def test_not_a_number_sorts_as_missing() -> None:
    rows = three()
    put(rows, "n", "x", float("nan"))
    put(rows, "m", "x", Decimal("NaN"))
    rows.sort(0, descending=True)
    assert view(rows)[:2] == ["c", "a"]


def test_a_change_of_text_moves_nobody_and_a_change_of_rank_does() -> None:
    rows = three()
    rows.sort(0, descending=False)
    assert not rows.upsert("a", (Cell("2.00", "profit", Decimal(2)),))
    assert rows.upsert("a", (Cell("11", "profit", Decimal(11)),))
    assert view(rows) == ["c", "a", "b"]


def test_a_filter_shows_rows_with_the_text_in_any_cell_whatever_its_case() -> None:
    rows = Rows()
    rows.upsert(1, (Cell("AAPL"), Cell("breakout")))
    rows.upsert(2, (Cell("MSFT"), Cell("Pullback")))
    rows.filter("PULL")
    assert view(rows) == [2]
    rows.upsert(1, (Cell("AAPL"), Cell("pullback")))
    assert view(rows) == [1, 2]
    rows.upsert(2, (Cell("MSFT"), Cell("rsi")))
    assert view(rows) == [1]
    rows.filter("")
    assert view(rows) == [1, 2]
    assert len(rows) == 2


def test_a_row_that_was_removed_is_nowhere() -> None:
    rows = three()
    assert rows.remove("b")
    assert not rows.remove("b")
    assert (rows.index("b"), rows.get("b"), view(rows)) == (None, None, ["a", "c"])


def test_a_row_has_one_cell_for_each_column() -> None:
    with pytest.raises(ValueError, match="2 cells, but the table has 3 columns"):
        make_cells(["a", "b"], 3)


def test_cells_are_cleaned() -> None:
    assert make_cells(["a\x1b[2J", Cell("b\x9b", "loss")], 2) == (
        Cell("a\ufffd[2J"),
        Cell("b\ufffd", "loss"),
    )


values = st.one_of(
    st.none(),
    st.integers(-5, 5),
    st.decimals(-5, 5, places=1),
    st.text(alphabet="aB-", max_size=2),
)
changes = st.lists(
    st.one_of(
        st.tuples(st.just("put"), st.integers(0, 9), values),
        st.tuples(st.just("remove"), st.integers(0, 9), st.none()),
        st.tuples(st.just("remove all"), st.integers(0, 9), st.none()),
        st.tuples(st.just("sort"), st.integers(0, 1), st.none()),
        st.tuples(st.just("filter"), st.integers(0, 2), st.none()),
    ),
    max_size=40,
)


@given(changes)
def test_kept_in_order_change_by_change_it_is_as_sorted_at_the_end(
    steps: list[tuple[str, int, SortValue]],
) -> None:
    live, needles = Rows(), ["", "a", "5"]
    for what, number, value in steps:
        if what == "put":
            put(live, number, str(value), value)
        elif what == "remove":
            live.remove(number)
        elif what == "remove all":
            gone = (number, number + 1, number + 3)
            shown = bool(set(gone) & set(view(live)))
            assert live.remove_all(gone) is shown
            assert not set(gone) & set(live.keys())
        elif what == "sort":
            live.sort(0, descending=bool(number))
        else:
            live.filter(needles[number])
    kept = view(live)
    column, descending = live.order
    live.sort(column, descending=descending)
    assert view(live) == kept
    assert [live.index(key) for key in kept] == list(range(len(kept)))
    hidden = set(live.keys()) - set(kept)
    assert all(live.index(key) is None for key in hidden)
