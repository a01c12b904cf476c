"""Whether the account that a venue answers with is the one that is meant (C-201)."""

from engine.config.venue import RealVenueConfig
from engine.ports import AuthFailed

LIVE = "live"


def confirm_account(name: str, settings: RealVenueConfig, answered: str) -> None:
    """Compare the id of the account at the venue with `account_id` of `[brokers.NAME]`.

    `name` is the account's name under `[brokers]`, `answered` the id as the venue told it on this
    connection. Real money needs the id in the config; a test account is compared where it is given.
    Raises AuthFailed: nothing may be sent to an account that nobody named.
    """
    wanted = settings.account_id
    if not wanted and settings.environment == LIVE:
        raise AuthFailed(
            f"[brokers.{name}] account_id is missing: real money needs it, and the venue answers "
            f"with {answered}"
        )
    if wanted and wanted != answered:
        raise AuthFailed(
            f'[brokers.{name}] account_id = "{wanted}", and the venue answers with {answered}: '
            "nothing is sent to another account"
        )
