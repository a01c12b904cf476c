"""A snapshot of another shape must not be taken for one of ours (U-70, A-282)."""

from hashlib import sha256
from typing import Any

import msgspec

from engine.state.book import STATE_FORMAT
from engine.state.portfolio import Portfolio

SHAPES = {
    1: "29e18fef668fdbc4",
    3: "02cda02ab43f1727",
    4: "20d808e9081686c4",
    5: "6f70d1c19c72479e",
    6: "b212efd8d2e08f89",
    7: "0170335c9fa0ae30",
    8: "a49200798c4321ca",
    9: "c8d215ad8dc01f4b",
    10: "a0c8e54d81a179f1",
    11: "572c792faa779e46",
    12: "e4c5f4bf3f1760d4",
    13: "430fb9a05c23083c",
    14: "cc4d86e6c742f5b8",
    15: "82b0c761c3bf93e3",
    16: "431b1ae15fb92505",
    17: "f6eda39913f07f9d",
    18: "83a4b7110a6b8ef9",
    19: "08df299f9f8786ee",
    20: "eb12d434d5587483",
    21: "969b999f889e500e",
    22: "1e34f27a9a46e258",
    23: "b5deffe43ccca526",
    24: "0a1ff34ca88caf7c",
    25: "0a1ff34ca88caf7c",
    26: "d79a59eba63d0d3a",
    27: "8689ad88f2e6732c",
}
"""The shape of the state that each format stands for."""


def bare(schema: Any) -> Any:
    """The schema without its descriptions, which are words and no shape."""
    if isinstance(schema, dict):
        return {key: bare(value) for key, value in schema.items() if key != "description"}
    return [bare(value) for value in schema] if isinstance(schema, list) else schema


def test_the_format_is_raised_with_the_shape_of_the_state() -> None:
    schema = msgspec.json.encode(bare(msgspec.json.schema(Portfolio)), order="deterministic")
    shape = sha256(schema).hexdigest()[:16]
    assert SHAPES[STATE_FORMAT] == shape, (
        f"the state is now of shape {shape}: raise STATE_FORMAT in engine/state/book.py, so that "
        "older snapshots are left aside, and add the new pair here"
    )
