"""Asking accounts at real venues without an engine: nobody else may trade them meanwhile."""

import asyncio
from collections.abc import Mapping
from contextlib import ExitStack

import msgspec

from brokers import VenueSetup
from console.host.account_locks import account_locks, claims_of
from console.host.locks import Work
from console.host.place import Host
from console.host.venue_checks import Finding, examine_all
from engine.config import Config


def visit(host: Host, config: Config, plans: Mapping[str, VenueSetup]) -> list[Finding]:
    """What these accounts answer, with the locks of the config's accounts.

    A second program on an account would push the first one out. Raises CommandFailed where somebody
    holds them.
    """
    folder, asked = host.state_dir, {}
    with account_locks(host, config, folder, Work.DOCTOR), ExitStack() as claimed:
        for name, plan in plans.items():
            # Each by itself: one that another engine has keeps no other from being asked.
            claims = claims_of(host, config, folder, Work.DOCTOR, gather_seconds=0)
            claim = claimed.enter_context(claims).claim
            asked[name] = msgspec.structs.replace(plan, claim=claim)
        return asyncio.run(examine_all(asked))
