"""Takes keys in the order in which they were typed, each once the one before has done all it does.

Textual hands a key to the widget that has the focus and goes on to the next one; what the key leads
to comes as messages, several turns of the loop later. Keys that come together, as over a slow line,
then overtake each other. Here the next key waits until those messages have been handled.
"""

import asyncio
from collections import deque
from typing import Any, Final, Protocol

from textual import events
from textual.dom import DOMNode
from textual.screen import Screen

from console.terminal.input import RUN_SECONDS, TerminalKey

ALONE_SECONDS: Final = RUN_SECONDS + 0.01
"""How long a key that must be alone waits for another one of its run."""

STUCK_SECONDS: Final = 0.1
"""How often it is asked whether a widget that is waited for has gone."""

Typed = events.Key | events.Paste


class Typist(Protocol):
    """The app, as far as its keys go."""

    async def act(self, event: Typed) -> bool:
        """Do what a key does, or hand it to whatever has the focus and return False."""

    def must_be_alone(self, event: Typed) -> bool:
        """True where the key would trade at once, and so counts only when it was typed alone."""

    def edits(self, event: Typed) -> bool:
        """True where the key changes the text of the field that has the focus, and nothing else."""

    def not_alone(self, key: str) -> None:
        """Say that a key was not taken because others came with it."""

    def has_unread(self) -> bool:
        """True where the terminal holds keys that were not read yet."""


class Keyboard:
    """The keys of one app, from the terminal to whatever takes them."""

    def __init__(self, app: Any, typist: Typist) -> None:
        """`app` is textual's app; `typist` is the same app by what is asked of it here."""
        self._app = app
        self._typist = typist
        self._keys: deque[Typed] = deque()
        self._opening: Screen[Any] | None = None
        """The screen that came on top and takes no keys yet."""
        self._marker: object | None = None
        """Stands while the last key is not done."""
        self._at: DOMNode | None = None
        """The widget that has the marker; None is the app."""
        self._waits_alone: events.Key | None = None
        self._was_alone = False
        """True once the key that waits alone has waited long enough."""
        self._in_doubt = False
        """True where keys were still unread when it had."""
        self._told = 0
        self.run = 0
        """The run of the last key; 0 for a key that came from no terminal."""

    async def type(self, event: Typed) -> None:
        """Take a key, now or after those before it."""
        self._keys.append(event)
        await self._go_on()

    @property
    def idle(self) -> bool:
        """True where every key that came has done all it does."""
        return not self._keys and self._opening is None and self._marker is None

    # -- screens

    def screen_changed(self, screen: Screen[Any]) -> None:
        """Another screen is on top: keys wait until it has its widgets and its focus."""
        self._opening = screen
        # the screen comes to this once it is mounted, and the app after the focus it asked for
        if not screen.call_later(self._app.call_later, self._opened, screen):
            self._opening = None  # it goes already; another one comes on top

    async def _opened(self, screen: Screen[Any]) -> None:
        if screen is self._opening:
            self._opening = None
            await self._go_on()

    # -- one after the other

    async def _go_on(self) -> None:
        while self._keys and self._opening is None and self._marker is None:
            event = self._keys[0]
            if isinstance(event, TerminalKey) and self._typist.must_be_alone(event):
                alone = self._is_alone(event)
                if alone is None:
                    return
                self._waits_alone = None
                if not alone:
                    self._keys.popleft()
                    self._tell(event)
                    continue
            self._keys.popleft()
            self.run = event.run if isinstance(event, TerminalKey) else 0
            is_edit = self._typist.edits(event)
            field = self._app.focused if is_edit else None
            done = await self._typist.act(event)
            # edits go to one field, which takes them in their order by itself
            if not (is_edit and self._keys and self._typist.edits(self._keys[0])):
                self._settle(field, 1 if done or is_edit else 2)

    def _is_alone(self, event: TerminalKey) -> bool | None:
        """Whether no other key came with this one; None while that is not known."""
        if event.follows:
            return False
        if self._waits_alone is not event:
            self._waits_alone, self._was_alone, self._in_doubt = event, False, False
            self._app.set_timer(ALONE_SECONDS, lambda: self._waited(event))
        if len(self._keys) > 1:
            after = self._keys[1]
            return isinstance(after, TerminalKey) and after.run != event.run and not self._in_doubt
        return True if self._was_alone else None

    async def _waited(self, event: TerminalKey) -> None:
        if self._waits_alone is not event:
            return
        if self._typist.has_unread():
            # the thread that reads was kept from it: what it reads next may belong to this key
            self._in_doubt = True
            self._app.set_timer(ALONE_SECONDS, lambda: self._waited(event))
            return
        self._was_alone = True
        await self._go_on()

    def _tell(self, event: TerminalKey) -> None:
        if self._told != event.run:
            self._told = event.run
            self._typist.not_alone(event.character or event.key)

    # -- when a key is done

    def _settle(self, field: DOMNode | None, rounds: int) -> None:
        """Let a marker go the way of the key's messages; the next key waits for it.

        A key that was handed on climbs itself to the app, and then what it led to does: two
        `rounds`. A `field` keeps an edit, and only what that leads to climbs.
        """
        self._marker = marker = object()
        self._watch(marker)
        if field is None or not field.call_later(self._start, marker, rounds):
            self._start(marker, rounds)
        else:
            self._at = field

    def _start(self, marker: object, rounds: int) -> None:
        if marker is self._marker:
            self._reach(self._app.focused or self._app.screen, marker, rounds)

    def _reach(self, node: DOMNode | None, marker: object, rounds: int) -> None:
        """Put the marker behind all that `node` has to do, and then above it, up to the app."""
        if marker is not self._marker:
            return
        while node is not None and node is not self._app:
            self._at = node
            if node.call_later(self._reach, node.parent, marker, rounds):
                return
            node = node.parent  # it is closing, and takes nothing more
        self._at = None
        self._app.call_later(self._arrived, marker, rounds)

    async def _arrived(self, marker: object, rounds: int) -> None:
        if marker is not self._marker:
            return
        if rounds > 1:
            self._start(marker, rounds - 1)
            return
        self._marker = None
        await self._go_on()

    def _watch(self, marker: object) -> None:
        """A widget that ends before it comes to the marker must not keep it."""
        if marker is not self._marker:
            return
        if self._at is not None and not self._at.is_running:
            self._at = None
            self._app.call_later(self._arrived, marker, 1)
            return
        asyncio.get_running_loop().call_later(STUCK_SECONDS, self._watch, marker)
