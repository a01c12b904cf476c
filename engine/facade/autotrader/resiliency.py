"""Autotrader's retries and breaker, which are the engine's own (C-400 to C-430, X-31)."""

from typing import Any

from engine.facade.autotrader.base import EngineAdapter
from engine.facade.autotrader.records import Order


class ResiliencyManager:
    """The published way to submit and cancel with retries.

    The engine's transport already tries again what provably did not leave, and asks first about
    what may have arrived (C-402): nothing is tried twice because it goes through here.
    """

    def __init__(  # noqa: PLR0917 - as published
        self,
        adapter: EngineAdapter,
        max_retries: int | None = None,
        initial_backoff: float | None = None,
        backoff_multiplier: float | None = None,
        circuit_breaker_threshold: int | None = None,
        circuit_breaker_timeout: float | None = None,
    ) -> None:
        """What is given must be what `[resiliency]` says, and is left out where that is to decide:
        ValueError otherwise. Backoff and time-out are in seconds."""
        self.adapter = adapter
        given = {
            "max_retries": max_retries,
            "initial_backoff": initial_backoff,
            "backoff_multiplier": backoff_multiplier,
            "circuit_breaker_threshold": circuit_breaker_threshold,
            "circuit_breaker_timeout": circuit_breaker_timeout,
        }
        rules = adapter.engine.world.config.resiliency
        for key, value in given.items():
            own = getattr(rules, key)
            if value is not None and value != own:
                raise ValueError(f"{key} is {value} and [resiliency] says {own}, which decides")

    async def submit_order_with_retry(self, order: Order) -> Order:
        """As `submit_order` of the adapter. A dead letter is never sent again by itself (C-430)."""
        return await self.adapter.submit_order(order)

    async def cancel_order_with_retry(self, order_id: str) -> bool:
        """As `cancel_order` of the adapter; an open breaker keeps no cancel back (C-404)."""
        return await self.adapter.cancel_order(order_id)

    async def get_failure_stats(self) -> dict[str, Any]:
        """`circuit_state`, `failure_count`, `last_failure`, `recent_failures_5min`, `dlq_size` and
        `total_failures`, over all accounts of the engine (C-423, X-28)."""
        return await self.adapter.failure_stats()
