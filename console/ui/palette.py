"""The command palette: every action of the table, and the themes."""

from collections.abc import AsyncIterator, Coroutine
from functools import partial
from typing import Any

from textual.command import DiscoveryHit, Hit, Hits, Provider

from console.commands.model import Action, Danger
from console.commands.table import ACTIONS
from console.ui.console import console_of
from console.ui.external import literal


class Actions(Provider):
    """Finds actions by label and tooltip; choosing one is pressing its key, with its questions."""

    async def discover(self) -> Hits:
        """Everything, before a letter is typed."""
        for action in _offered():
            yield DiscoveryHit(literal(_title(action)), self._run(action), help=action.tooltip)

    async def search(self, query: str) -> Hits:
        """What matches, best first."""
        matcher = self.matcher(query)
        for action in _offered():
            title = _title(action)
            score = max(matcher.match(title), 0.8 * matcher.match(action.tooltip))
            if score > 0:
                yield Hit(score, matcher.highlight(title), self._run(action), help=action.tooltip)
        async for hit in self._themes(query):
            yield hit

    async def _themes(self, query: str) -> AsyncIterator[Hit]:
        matcher = self.matcher(query)
        for name in sorted(console_of(self.app).theme_names):
            title = f"Theme: {name}"
            score = matcher.match(title)
            if score > 0:
                yield Hit(score, matcher.highlight(title), partial(self._choose, name))

    def _choose(self, name: str) -> None:
        self.app.theme = name

    def _run(self, action: Action) -> "partial[Coroutine[Any, Any, None]]":
        return partial(console_of(self.app).run_named, action)


def _offered() -> list[Action]:
    return [action for action in ACTIONS if action.palette]


def _title(action: Action) -> str:
    danger = f" ({action.danger})" if action.danger is not Danger.NONE else ""
    return f"{action.label}  {action.key_words}{danger}"
