"""What a journal fixes for its life, against what a config says now (X-86, X-95)."""

from collections.abc import Mapping

from engine.domain.run import Mode
from engine.state.book import Book


def other_mode(book: Book, mode: Mode) -> str:
    """One sentence where the journal is of another mode than the config's `mode`; "" else.

    What is held in one mode is not held in another (U-40).
    """
    data = book.data
    if not data.started_at or data.mode is mode:
        return ""
    return (
        f'This journal is of mode "{data.mode}" and the config says mode = "{mode}": a journal '
        f'keeps its mode. Set it to "{data.mode}", or begin another journal with --state-dir.'
    )


def contradiction(
    book: Book, *, mode: Mode, accounts: Mapping[str, str], currency: str, calendar: str
) -> str:
    """One sentence on what the config says against the journal; "" where nothing does.

    `accounts` is the venue's id of each account by its name, as the config has it. `currency` is
    the config's base currency, `calendar` the one it names for the portfolio's day, "" for none.
    With real money the accounts stay: equity and history are theirs. The currency
    stays, flat or not: equity, its highest and every day's row are numbers of it. The calendar may
    change while nothing is held and nothing works.
    """
    data = book.data
    for name, identity in accounts.items() if mode is Mode.LIVE else ():
        known = data.accounts.get(name)
        if known is not None and known.balances is not None and known.id != identity:
            return (
                f"This journal is of account {known.id} as {name} and [brokers.{name}] account_id "
                f'is "{identity}": with real money an account is fixed for the life of a journal. '
                "Begin another journal with --state-dir, or give the account another name."
            )
    base = data.base_currency
    if base not in ("", currency) and data.starting_equity is not None:
        return (
            f'This journal counts in {base} and [account] currency is "{currency}": the base '
            f'currency is fixed for the life of a journal. Set it to "{base}", or begin another '
            "journal with --state-dir."
        )
    if calendar and data.calendar not in ("", calendar) and _exposed(book):
        return (
            f"The portfolio's day of this journal is that of {data.calendar} and [account] "
            f'calendar is "{calendar}": it can be changed while nothing is held and nothing '
            f'works. Until then set it to "{data.calendar}".'
        )
    return ""


def calendar_of(book: Book, *, named: str, usual: str) -> str:
    """The calendar of the portfolio's day from now on.

    The one the config names; where it names none the journal's for as long as something is held
    or works, else `usual`, which is that of the configured symbols.
    """
    if named:
        return named
    return book.data.calendar if book.data.calendar and _exposed(book) else usual


def _exposed(book: Book) -> bool:
    """Something is held or works, in whichever account."""
    return any(account.exposed for account in book.data.accounts.values())
