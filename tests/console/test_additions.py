"""A check, an exit, a broker, a plan, a front end: each is one row of one table, and trades.

The engine that runs here is the whole one, in virtual time; only the row is added.
"""

import ast
import shutil
import subprocess
import sys
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import msgspec
import pytest

import brokers
from brokers import FACTORIES, Factory, venue_kinds
from console.virtual import Rehearsal, rehearse
from engine.config import ConfigError, init_text, opened, show_text
from engine.config.rules import value_at
from engine.core.decide import RULES
from engine.domain.codes import Code, Stage
from engine.domain.commands import PlaceOrder
from engine.domain.events import (
    CommandRefused,
    Event,
    IntentEnded,
    IntentOpened,
    SignalDecided,
)
from engine.domain.inputs import Command
from engine.domain.instant import Nanos
from engine.domain.order import OrderTerms, Side
from engine.domain.position import ExitReason
from engine.exits.answer import Exit, ExitRule
from engine.exits.table import EXITS
from engine.pipeline.intent import build
from engine.pipeline.request import manual_request
from engine.pipeline.stages import decide
from engine.plans.exit import plan_exit
from engine.plans.table import PLANS, Plan
from engine.risk.finding import Finding, passed, refused
from engine.risk.gate import CHECKS, Check
from engine.state.position import Position
from engine.world import World
from tests.configs import from_mapping

SIGNAL = {
    "signal_id": "s-1",
    "signal_type": "an_idea",
    "direction": "long",
    "ticker": "NVDA",
    "timeframe": "10m",
    "conviction": 80,
    "entry_price": "100",
    "stop_loss": "98",
    "timestamp": "2013-10-07T14:00:00Z",
}


async def buy(desk: Rehearsal) -> SignalDecided:
    """Submit the signal and let a fill come."""
    desk.price("NVDA", "100")
    verdict = desk.engine.submit(SIGNAL)
    assert isinstance(verdict, SignalDecided)
    await desk.wait(1)
    desk.price("NVDA", "100")
    await desk.wait(1)
    return verdict


def test_a_ninth_check_is_one_row(monkeypatch: pytest.MonkeyPatch) -> None:
    """The row names its code, its limit and its config key; the verdict carries them."""

    def spread(limit: Any) -> Finding | None:
        wide = Decimal("0.004")
        return passed(wide, limit) if wide <= limit else refused(wide, limit, "the spread is wide")

    row = Check(
        Code.CIRCUIT_OPEN, Stage.RISK, spread, limit="price_collar_pct", key="risk.price_collar_pct"
    )
    monkeypatch.setattr("engine.risk.gate.CHECKS", (*CHECKS, row))

    async def play(desk: Rehearsal) -> tuple[str, str, str]:
        verdict = await buy(desk)
        return verdict.code, verdict.measured, verdict.limit

    tight = {"risk": {"price_collar_pct": "0.003"}}
    assert rehearse(play, config=tight) == ("CIRCUIT_OPEN", "0.004", "0.003")
    wide = {"risk": {"price_collar_pct": "0.004"}}
    assert rehearse(play, config=wide)[0] != "CIRCUIT_OPEN"


def test_a_new_exit_is_one_row(monkeypatch: pytest.MonkeyPatch) -> None:
    def too_long(world: World, position: Position, now: Nanos) -> Exit | None:
        held = now - position.opened_at
        return Exit(measured=str(held), limit="60 s") if held >= 60_000_000_000 else None

    row = ExitRule(
        reason=ExitReason.TIME_STOP, priority=5, config_key="exits.time_stop_minutes", ask=too_long
    )
    monkeypatch.setattr("engine.exits.table.EXITS", (*EXITS, row))

    async def play(desk: Rehearsal) -> tuple[Decimal, Decimal]:
        await buy(desk)
        before = desk.held("NVDA")
        await desk.wait(60)
        desk.price("NVDA", "100")
        await desk.wait(1)
        desk.price("NVDA", "100")
        await desk.wait(1)
        return before, desk.held("NVDA")

    before, after = rehearse(play)
    assert before > 0
    assert after == 0


SECOND = {
    "__init__.py": "",
    "settings.py": """
from typing import Annotated, Literal

from pydantic import Field

from engine.config.kinds import whole
from engine.config.venue import RealVenueConfig


class SecondConfig(RealVenueConfig):
    \'\'\'A second venue.\'\'\'

    environment: Literal["demo", "live"] = Field("demo", description="demo | live")
    desk: Annotated[int, whole(1, 9)] = Field(1, description="of its house")
""",
    "adapter.py": """
from decimal import Decimal

import msgspec

from brokers.paper.settings import PaperConfig
from brokers.paper.setup import open_paper


def open_second(plan):
    terms = PaperConfig.model_construct(
        latency_ms=(0, 0),
        fill_probability=Decimal(1),
        initial_cash=Decimal(plan.settings.desk * 10_000),
    )
    return open_paper(msgspec.structs.replace(plan, settings=terms))
""",
}
"""The folder of a venue: the settings it declares, and what opens an account of it."""


@pytest.fixture
def second(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A venue that is added by its folder under `brokers` and a row of `FACTORIES`."""
    folder = tmp_path / "second"
    folder.mkdir()
    for name, text in SECOND.items():
        (folder / name).write_text(text)
    monkeypatch.setattr(brokers, "__path__", [*brokers.__path__, str(tmp_path)])
    row = Factory("brokers.second.settings:SecondConfig", "brokers.second.adapter:open_second")
    monkeypatch.setitem(FACTORIES, "second", row)
    yield
    for name in [name for name in sys.modules if name.startswith("brokers.second")]:
        del sys.modules[name]
    del brokers.second  # type: ignore[attr-defined]  # set by the import


def test_a_second_broker_is_a_folder_and_a_row(second: None) -> None:
    """The config takes its table, orders go there, fills come back, and its own key reaches it."""

    async def play(desk: Rehearsal) -> tuple[str, bool, Decimal]:
        cash = desk.engine.state.data.accounts["second"].cash["USD"]
        await buy(desk)
        (position,) = desk.engine.state.held("NVDA")
        return position.account, position.quantity > 0, cash

    config = {
        "account": {"primary": "second"},
        "market": {"source": "broker"},
        "brokers": {"second": {"desk": 5}},
    }
    assert rehearse(play, config=config) == ("second", True, Decimal(50_000))


def test_the_settings_of_an_added_broker_are_judged_as_every_key_is(second: None) -> None:
    """At the boundary, below and above; an unknown key, its kind, and its live world too."""
    for desk in (1, 9):
        config = from_mapping({"brokers": {"second": {"desk": desk}}})
        assert value_at(config, ("brokers", "second", "desk")) == desk
    mine = {"account": {"primary": "mine"}, "brokers": {"mine": {"kind": "second"}}}
    assert opened(from_mapping({**mine, "market": {"source": "broker"}})) == ("mine",)
    refused = "is refused: allowed is a whole number from 1 to 9."
    assert _told({"second": {"desk": 0}}) == [f"brokers.second.desk = 0 {refused}"]
    assert _told({"second": {"desk": 10}}) == [f"brokers.second.desk = 10 {refused}"]
    assert f"brokers.mine.desk = 10 {refused}" in _told({"mine": {"kind": "second", "desk": 10}})
    assert _told({"second": {"dsk": 1}}) == [
        'brokers.second.dsk = "***" is unknown: desk may be meant, '
        "[brokers.second] takes kind, account_id, environment, desk."
    ]
    assert _told({"second": {"environment": "live"}}) == [
        'brokers.second.environment = "live" is refused: allowed is "demo" while mode is "paper".'
    ]


def test_an_added_broker_is_written_and_shown_with_the_others(second: None) -> None:
    text = init_text(venue_kinds(), example="second")
    assert "# A second venue.\n[brokers.second]\n" in text
    assert '# broker = "second"\n' in text
    assert "desk = 7\n" in show_text(from_mapping({"brokers": {"second": {"desk": 7}}}))


def _told(accounts: dict[str, Any]) -> list[str]:
    with pytest.raises(ConfigError) as told:
        from_mapping({"brokers": accounts})
    return list(told.value.problems)


class Basket(Command, frozen=True, kw_only=True):
    """A front end of a test's own: so many of each symbol, in one intent."""

    quantities: dict[str, Decimal]


def basket(world: World, given: Basket, now: Nanos) -> Iterator[Event]:
    """Each leg passes the gate as a person's order would; then all of them are one intent."""
    legs: list[OrderTerms] = []
    for symbol, quantity in given.quantities.items():
        wanted = PlaceOrder(by=given.by, symbol=symbol, side=Side.BUY, quantity=quantity)
        ruling = decide(world, manual_request(world, wanted), now)
        if not ruling.allowed:
            yield CommandRefused(
                command="Basket", code=ruling.code, reason=ruling.reason, by=given.by
            )
            return
        terms = build(world, ruling, now, signal_id="", facts=("basket", symbol))
        legs.append(msgspec.structs.replace(terms, intent_id="basket"))
    yield IntentOpened(intent_id="basket", plan="entry", by=given.by, legs=tuple(legs))


def test_a_new_front_end_is_one_row(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(RULES, Basket, basket)

    async def play(desk: Rehearsal) -> tuple[Decimal, Decimal, list[Event]]:
        ended: list[Event] = []
        desk.engine.subscribe(
            lambda record: (
                ended.append(record.event) if isinstance(record.event, IntentEnded) else None
            )
        )
        for symbol in ("NVDA", "AMD"):
            desk.price(symbol, "100")
        done = await desk.engine.command(
            Basket(by="test", quantities={"NVDA": Decimal(3), "AMD": Decimal(4)})
        )
        assert done.ok, done.error
        await desk.wait(1)
        for symbol in ("NVDA", "AMD"):
            desk.price(symbol, "100")
        await desk.wait(1)
        return desk.held("NVDA"), desk.held("AMD"), ended

    nvda, amd, ended = rehearse(play)
    assert (nvda, amd) == (3, 4)
    (end,) = ended
    assert isinstance(end, IntentEnded)
    assert end.reason.startswith("2 of 2 legs filled")


def test_a_new_plan_is_one_row(monkeypatch: pytest.MonkeyPatch) -> None:
    """A plan that keeps no more than ten of anything: what is above that is closed."""

    def trim(world: World, account: str, symbol: str, now: Nanos) -> Iterator[Event]:
        held = world.book.holding(account, symbol)
        if held is not None and held.quantity > 10 and held.exiting is None:
            yield from plan_exit(
                held, reason=ExitReason.TIME_STOP, priority=9, quantity=held.quantity - 10
            )

    monkeypatch.setattr("engine.plans.table.PLANS", (Plan("trim", trim), *PLANS))

    async def play(desk: Rehearsal) -> Decimal:
        await buy(desk)
        for _ in range(5):
            await desk.wait(1)
            desk.price("NVDA", "100")
        return desk.held("NVDA")

    assert rehearse(play) == 10


BOND = '''
"""Bonds: a coupon until a day, priced for 100 of face value."""

import datetime
import re
from decimal import Decimal
from typing import Final

from engine.domain.instruments.kind import Contract, Kind, Terms, WORD, agree, date_of, positive
from engine.domain.money import ONE


class BondContract(Contract, frozen=True, kw_only=True, tag="bond"):
    """What `issuer` owes: `coupon` per cent a year until `matures`."""

    issuer: str
    coupon: Decimal
    matures: datetime.date

    def counts_as(self, symbol: str) -> str:
        return self.issuer

    @property
    def last_day(self) -> datetime.date:
        return self.matures


def _read(found: re.Match[str], symbol: str) -> BondContract:
    return BondContract(
        issuer=found["bond_of"],
        coupon=Decimal(found["bond_coupon"]),
        matures=date_of(found["bond_day"], symbol),
    )


def _make(symbol: str, told: Contract | None, terms: Terms) -> Contract | None:
    if isinstance(told, BondContract):
        agree(symbol, "coupon", told.coupon, terms.get("coupon"))
    return told


BOND: Final = Kind(
    noun="a bond",
    plural="bonds",
    shape=rf"(?P<bond_of>{WORD}) (?P<bond_coupon>\\d\\.\\d\\d)% (?P<bond_day>\\d+-\\d\\d-\\d\\d)",
    only_by_id=True,
    example="UST 4.25% 2034-05-15",
    tick=Decimal("0.01"),
    lot=ONE,
    multiplier=Decimal(10),
    calendar="XNYS",
    contract=BondContract,
    read=_read,
    terms={"coupon": positive},
    make=_make,
)
'''
"""The file of a kind of instrument, with an id of its own shape and a field of its own."""

BOND_TRADES = """
import datetime
import sys
from decimal import Decimal as D
from pathlib import Path

import pytest

from brokers.paper.instruments import load_instruments
from engine.reference.textfile import BadFile
from console.ui.panes.base import name_cell
from console.virtual import rehearse
from brokers import venue_kinds
from engine.config import ConfigError, from_mapping
from engine.domain import events as ev
from engine.domain.commands import ClosePosition, PlaceOrder
from engine.domain.instrument import AssetClass, Facts, InstrumentError, instrument_of
from engine.domain.instrument import is_symbol, parse
from engine.domain.instruments.bond import BondContract
from engine.domain.order import OrderType, Side
from engine.domain.schema import decode, encode
from engine.state.book import Book

UST = "UST 4.25% 2034-05-15"
OWED = BondContract(issuer="UST", coupon=D("4.25"), matures=datetime.date(2034, 5, 15))
COLUMNS = "symbol,asset_class,tick,lot,multiplier,currency,calendar,shortable"
TERMS = {"slippage_bps": 0, "commission_bps": 0, "latency_ms": [0, 0], "fill_probability": 1}

# Its id, and what its id, its kind and others say of it.
assert parse(UST) == ("bond", OWED)
assert not is_symbol("UST 4.2% 2034-05-15") and not is_symbol("UST 4.25% 2034-02-30")
made = instrument_of(UST, Facts())
assert (made.tick, made.lot, made.multiplier, made.currency) == (D("0.01"), 1, 10, "USD")
assert (made.underlying, made.coin, made.last_day) == ("UST", "", datetime.date(2034, 5, 15))
assert name_cell(made).text == UST
for facts, says in (
    (Facts(terms={"coupon": D(5)}), f"coupon is 5, but the id {UST} says 4.25"),
    (Facts(terms={"strike": D(5)}), f"strike is stated of {UST}, which is a bond and has none"),
    (Facts(asset_class=AssetClass("stock")), f"asset_class is stock, but the id {UST} says bond"),
):
    with pytest.raises(InstrumentError, match="^" + says + "$"):
        instrument_of(UST, facts)
with pytest.raises(InstrumentError, match="only options, futures and bonds have one$"):
    instrument_of("AAPL", Facts(terms={"coupon": D(5)}))
with pytest.raises(InstrumentError, match="ES 2026-12, UST 4.25% 2034-05-15"):
    instrument_of("no id", Facts())

# The table of instruments has its column; a table made before it does not need it.
table = Path(sys.argv[1])
for more in ("", ",underlying,expiry,strike,right"):
    table.write_text(f"{COLUMNS}{more}\\n{UST},,0.05,,,,," + "," * more.count(",") + "\\n")
    assert load_instruments(table)[UST].tick == D("0.05")
table.write_text(f"{COLUMNS},underlying,expiry,strike,right,coupon\\n{UST},,0.05,,,,,,,,,,4.2\\n")
with pytest.raises(BadFile, match="line 2: coupon is 4.2, but the id"):
    load_instruments(table)
table.write_text(f"{COLUMNS},underlying,expiry,strike,right,coupon\\n{UST},bond,0.05,,,,,,,,,,\\n")

config = {
    "data": {"instruments": str(table)},
    "market": {"symbols": [UST]},
    "brokers": {"paper": TERMS, "second": {"kind": "paper", **TERMS}},
    "routes": [{"asset_class": "bond", "broker": "second"}],
    "profile": "axion_aggressive",
    "risk": {"max_single_stock_exposure": "0.15", "max_order_notional": "1000000"},
}
with pytest.raises(ConfigError, match="future, bond"):
    from_mapping({"routes": [{"asset_class": "loan", "broker": "paper"}]}, None, venue_kinds())


def signal(number, entry, stop):
    return {
        "signal_id": f"s-{number}", "signal_type": "an_idea", "direction": "long",
        "ticker": UST, "timeframe": "10m", "conviction": 80, "entry_price": entry,
        "stop_loss": stop, "timestamp": "2013-10-07T14:00:00Z",
    }


async def play(desk):
    heard = []
    desk.engine.subscribe(lambda record: heard.append(record.event))

    async def trades(price):
        for _ in range(2):
            desk.price(UST, price)
            await desk.wait(0.5)

    async def ask(quantity, limit="98.50"):
        order = PlaceOrder(
            by="test", symbol=UST, side=Side.BUY, quantity=D(quantity), type=OrderType.LIMIT,
            limit_price=D(limit), broker="second",
        )
        return (await desk.engine.command(order)).code

    await trades("98.50")
    # The grid is the table's, and a bond is 985: 15 % of 200,000 are 30 of them.
    assert await ask(1, "98.52") == "BAD_TICK"
    assert await ask(31) == "SINGLE_EXPOSURE"
    # 2 % of 200,000 in two accounts may be lost: 4,000 at 20 a bond are 200, the name's share 30.
    verdict = desk.engine.submit(signal(1, "98.50", "96.50"))
    (sized,) = [e.terms for e in heard if isinstance(e, ev.OrderIntended)]
    assert (sized.quantity, sized.account) == (30, "second"), (sized, verdict)
    await trades("98.50")
    assert desk.held(UST) == 30
    assert [e.fill.price for e in heard if isinstance(e, ev.OrderFilled)] == [D("98.50")]
    (learned,) = [e for e in heard if isinstance(e, ev.InstrumentLearned)]
    assert decode("InstrumentLearned", encode(learned)) == learned
    assert learned.instrument.contract == OWED
    await trades("99.50")
    status = desk.engine.status()
    (row,) = status["positions"]
    # 30 x 99.50 x 10, of which 30 x 1 x 10 are gained
    assert (row["symbol"], row["market_value"], row["unrealized_pnl"]) == (UST, "29850", "300")
    limits = {limit["name"]: D(limit["measured"]) for limit in status["limits"]}
    assert limits["max_single_stock_exposure"] == round(D(29850) / D(200300), 6)
    assert Book.restore(desk.engine.state.snapshot()).instrument(UST) == learned.instrument
    assert (await desk.engine.command(ClosePosition(by="test", symbol=UST))).ok
    await trades("99.50")
    (trade,) = [e.trade for e in heard if isinstance(e, ev.PositionClosed)]
    assert (trade.pnl, trade.instrument_type) == (300, "bond")
    assert desk.engine.status()["account"]["equity"] == "200300"


rehearse(play, config=config)
"""
"""What is asked of it in a process of its own: from its id to the profit of a trade."""

KINDS = "engine/domain/instrument.py"
"""Where the table of kinds is."""


@pytest.fixture
def with_bonds(tmp_path: Path, root: Path) -> Path:
    """A copy of the program with the kind's file, and its row in the table."""
    shutil.copytree(root / "engine", tmp_path / "engine")
    for name in ("brokers", "storage", "themes", "console"):
        (tmp_path / name).symlink_to(root / name)
    (tmp_path / "engine/domain/instruments/bond.py").write_text(BOND)
    table = (tmp_path / KINDS).read_text()
    for line, added in (
        (
            "from engine.domain.instruments.future",
            "from engine.domain.instruments.bond import BOND\n",
        ),
        ("\n    def __new__", '    BOND = "bond", BOND\n'),
    ):
        assert table.count(line) == 1
        table = table.replace(line, added + line)
    (tmp_path / KINDS).write_text(table)
    return tmp_path


def test_a_new_kind_of_instrument_is_a_file_and_a_row(with_bonds: Path) -> None:
    """Its id, its column, its share of a limit, its size, its fills, its profit and its rows."""
    done = subprocess.run(
        [sys.executable, "-c", BOND_TRADES, str(with_bonds / "instruments.csv")],
        cwd=with_bonds,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_nothing_asks_for_a_kind_of_instrument_by_its_name() -> None:
    """What an instrument is stands in its facts; only what tells a rate is asked for, a pair.

    A venue has a word for each kind, which its adapter translates.
    """
    root = Path(__file__).resolve().parents[2]
    found: set[str] = set()
    for folder in ("engine", "brokers", "console", "storage"):
        for path in (root / folder).rglob("*.py"):
            place = str(path.relative_to(root))
            if place == KINDS or place.startswith("engine/domain/instruments/"):
                continue
            if place.split("/")[1] in set(FACTORIES) - {"paper"}:
                continue
            for node in ast.walk(ast.parse(path.read_text())):
                match node:
                    case ast.Attribute(value=ast.Name(id="AssetClass"), attr=name):
                        found.add(name)
                    case ast.ImportFrom(module=str(module), names=names):
                        if module.startswith("engine.domain.instruments."):
                            found |= {name.name for name in names}
    assert found == {"Pair", "one_of", "positive"}


def test_a_row_that_fails_fails_the_rehearsal(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(world: World, account: str, symbol: str, now: Nanos) -> Iterator[Event]:
        raise ZeroDivisionError("a defect")
        yield

    monkeypatch.setattr("engine.plans.table.PLANS", (Plan("broken", broken), *PLANS))

    async def play(desk: Rehearsal) -> None:
        await buy(desk)

    with pytest.raises(Exception, match="a defect"):
        rehearse(play)


def test_the_simulated_market_runs_in_a_rehearsal() -> None:
    async def play(desk: Rehearsal) -> int:
        before = desk.now
        await desk.wait(120)
        assert desk.now - before >= 120_000_000_000
        return len(desk.engine.world.market.quotes)

    assert rehearse(play, market="simulated") > 0
