"""A ban of the address is said once, with its end, and what a limit keeps back is not (C-200)."""

from engine.domain import commands as ask
from engine.domain import events as ev
from engine.domain.instant import NS_PER_SECOND, rfc3339
from engine.domain.order import OrderStatus, OrderTerms
from engine.domain.run import Severity
from engine.ports import Banned, BrokerError, Throttled
from tests.engine.wires import Rig, Wire, play


class Refusing(Wire):
    """It refuses every cancel with `error` while there is one."""

    error: BrokerError | None = None

    async def cancel_order(self, client_order_id: str) -> None:
        if self.error is not None:
            raise self.error
        await super().cancel_order(client_order_id)

    async def submit_order(self, order: OrderTerms) -> None:
        if self.error is not None:
            raise self.error
        await super().submit_order(order)


def bans(rig: Rig) -> list[ev.Alarmed]:
    return [alarm for alarm in rig.events(ev.Alarmed) if alarm.code == "BANNED"]


async def cancel(rig: Rig, error: BrokerError) -> str:
    """An order that rests, whose cancel is refused like that; its id."""
    key = await rig.rest()
    assert isinstance(rig.wire, Refusing)
    rig.wire.error = error
    await rig.engine.command(ask.CancelOrder(by="t", client_order_id=key))
    await rig.clock.sleep(0.5)
    return key


def test_c200_a_ban_is_an_alarm_that_says_until_when() -> None:
    async def scene(rig: Rig) -> None:
        began = rig.clock.now()
        key = await cancel(rig, Banned("IP banned (-1003)", 60.0))
        (told,) = bans(rig)
        assert (told.severity, told.subject) == (Severity.CRITICAL, "paper")
        ends = [rfc3339(began + n * NS_PER_SECOND // 100 + 60 * NS_PER_SECOND) for n in range(60)]
        assert any(end[:19] in told.text for end in ends), told.text
        assert "IP banned (-1003)" in told.text
        # what is left of it is no news, and a longer one is
        assert isinstance(rig.wire, Refusing)
        rig.wire.error = Banned("still", 30.0)
        await rig.clock.sleep(29)
        await rig.engine.command(ask.CancelOrder(by="t", client_order_id=key))
        assert len(bans(rig)) == 1
        rig.wire.error = Banned("longer", 400.0)
        await rig.until(lambda: len(bans(rig)) == 2, 200)
        rig.wire.error = None
        await rig.until(lambda: rig.status(key) is OrderStatus.CANCELED, 1000)
        assert len(bans(rig)) == 2

    play(scene, wire=Refusing)


def test_c200_a_limit_is_no_ban() -> None:
    async def scene(rig: Rig) -> None:
        await cancel(rig, Throttled("too many requests", 5.0))
        assert bans(rig) == []

    play(scene, wire=Refusing)


def test_c200_an_entry_that_meets_a_ban_says_so_too() -> None:
    async def scene(rig: Rig) -> None:
        assert isinstance(rig.wire, Refusing)
        rig.wire.error = Banned("IP banned", 600.0)
        rig.signal()
        await rig.clock.sleep(1)
        assert len(bans(rig)) == 1

    play(scene, wire=Refusing)
