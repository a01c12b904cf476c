"""The two parts of a key, looked up whenever they are needed and kept nowhere here."""

import asyncio
from collections.abc import Callable

from engine.ports import AuthFailed

Keys = Callable[[], tuple[str, str]]
"""Gives key and secret. Raises an error whose one sentence says where they were looked for."""


async def looked_up(keys: Keys) -> tuple[str, str]:
    """Key and secret, from a thread: a keyring takes its time. Raises AuthFailed without them."""
    try:
        return await asyncio.to_thread(keys)
    except Exception as error:
        raise AuthFailed(str(error)) from error
