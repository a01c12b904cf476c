"""The style sheet of an app, with each of its sources parsed once."""

from textual.css.stylesheet import Stylesheet


class ParsedOnce(Stylesheet):
    """As textual's, but that what was parsed with the same variables is not parsed again.

    Textual parses every source anew with each source that is added after the start: three times
    before the first picture.
    """

    def set_variables(self, variables: dict[str, str]) -> None:
        """Other variables change what every source means; the same ones change nothing."""
        if variables != self._variables:
            super().set_variables(variables)

    def reparse(self) -> None:
        """Parse what was not parsed yet. Raises StylesheetError kinds."""
        self.parse()
