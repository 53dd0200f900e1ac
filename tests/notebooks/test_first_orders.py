"""The notebook of first orders, run headless against a running shop."""

import pytest

from tests.docs.running import Address
from tests.notebooks.running import drawn, executed, said

ORDERS = 5


@pytest.mark.notebooks
async def test_the_notebook_buys_draws_and_ends_with_a_verdict(
    running_shop: Address, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SOUK_URL", running_shop.url)
    monkeypatch.setenv("SOUK_ORDERS", str(ORDERS))
    notebook = await executed("first_orders")
    text = said(notebook)
    assert f"yes all {ORDERS} orders were answered CONFIRMED" in text
    assert "yes after cancelling, every piece is for sale again" in text
    assert "NO " not in text
    for step in ("search", "product", "cart", "order", "read", "cancel"):
        assert f"\n{step:<8} " in text
    assert drawn(notebook) == 1
