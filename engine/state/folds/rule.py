"""The type of a rule, and of a table of rules."""

from collections.abc import Callable, Mapping
from typing import Any, TypeAlias

from engine.domain.events import Event
from engine.domain.instant import Nanos
from engine.state.book import Book

Rule: TypeAlias = Callable[[Book, Any, Nanos], None]
"""Changes the book as an event says that happened at a time."""

Rules: TypeAlias = Mapping[type[Event], Rule]
