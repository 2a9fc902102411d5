"""The ledger protocol keeps its promises in every order of events that the model can think of, and the model can think."""

from __future__ import annotations

import pytest

from tests.model.search import search
from tests.model.variants import BROKEN, PROTOCOL, Protocol

EXAMPLES = 400
"""Examples for the protocol as specified. A broken variant is given `LIMIT`; `python -m tests.model` says how many it takes."""

LIMIT = 4_000
RARE = BROKEN[-1]
"""Found after hundreds to thousands of examples: minutes."""


def test_the_protocol_keeps_every_promise() -> None:
    result = search(PROTOCOL, EXAMPLES, seed=1)
    assert result.promise is None
    assert result.examples >= EXAMPLES


@pytest.mark.parametrize(
    "protocol",
    [*BROKEN[:-1], pytest.param(RARE, marks=pytest.mark.slow)],
    ids=lambda protocol: protocol.name,
)
def test_a_broken_variant_is_found(protocol: Protocol) -> None:
    """A model that does not notice a broken rule proves nothing about the others."""
    result = search(protocol, LIMIT, seed=1)
    assert result.promise is not None, f"{result.examples} examples did not show that {protocol.name!r} is wrong"
