"""Facts that are worked out once for a request, when the first row asks for them."""

from functools import cached_property
from typing import TYPE_CHECKING, Any, ClassVar, TypeVar

T = TypeVar("T")


class kept(cached_property[T]):  # noqa: N801 - a decorator, written as the one it is made of
    """A fact that is worked out once, when the first row asks for it.

    As `cached_property` is from Python 3.12 on: the lock that it takes before costs more than most
    facts do, and facts are asked in one thread.
    """

    if not TYPE_CHECKING:  # its type is that of `cached_property`

        def __get__(self, facts: Any, owner: type | None = None) -> Any:
            if facts is None:
                return self
            value = facts.__dict__[self.attrname] = self.func(facts)
            return value


class kept_for_quantity(kept[T]):  # noqa: N801 - as `kept`
    """A fact that is kept and depends on the quantity: with another one it is worked out anew."""

    names: ClassVar[list[str]] = []
    """The names of all facts that depend on the quantity."""

    def __set_name__(self, owner: type, name: str) -> None:
        super().__set_name__(owner, name)
        self.names.append(name)
