"""A style sheet whose sources are parsed once says what textual's says."""

from textual.css.stylesheet import Stylesheet

from console.ui.stylesheet import ParsedOnce

FIRST = "Label { color: $one; } #a { color: $two; }"
SECOND = "Label.-b { color: $two; }"
COLOURS = {"one": "#112233", "two": "#445566"}
OTHERS = {"one": "#665544", "two": "#332211"}


def read(sheet: Stylesheet, colours: dict[str, str]) -> list[str]:
    sheet.add_source(FIRST, read_from=("first", ""))
    sheet.reparse()
    sheet.add_source(SECOND, read_from=("second", ""))
    sheet.set_variables(dict(colours))
    sheet.reparse()
    return [rule.css for rule in sheet.rules]


def test_it_says_what_textuals_says() -> None:
    for variables in (COLOURS, OTHERS):
        mine = read(ParsedOnce(variables=COLOURS), variables)
        assert len(mine) == 3
        assert mine == read(Stylesheet(variables=COLOURS), variables)


def test_the_same_variables_leave_the_rules_as_they_are() -> None:
    sheet = ParsedOnce(variables=COLOURS)
    sheet.add_source(FIRST, read_from=("first", ""))
    before = list(sheet.rules)
    sheet.set_variables(dict(COLOURS))
    sheet.reparse()
    assert all(one is other for one, other in zip(before, sheet.rules, strict=True))
    sheet.set_variables(OTHERS)
    sheet.reparse()
    assert not any(one is other for one, other in zip(before, sheet.rules, strict=True))
