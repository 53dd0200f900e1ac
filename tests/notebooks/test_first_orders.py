"""The notebook of first orders, run headless against a running shop."""

from pathlib import Path
from typing import Any

import nbformat
import pytest
from nbclient import NotebookClient

from tests.docs.running import Address

NOTEBOOK = Path(__file__).resolve().parents[2] / "notebooks" / "first_orders.ipynb"
CELL_SECONDS_MAX = 120
ORDERS = 5


def said(notebook: Any) -> str:
    """All text that its cells printed."""
    outputs = [output for cell in notebook.cells for output in cell.get("outputs", ())]
    return "".join(output.get("text", "") for output in outputs)


@pytest.mark.notebooks
async def test_the_notebook_buys_draws_and_ends_with_a_verdict(
    running_shop: Address, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SOUK_URL", running_shop.url)
    monkeypatch.setenv("SOUK_ORDERS", str(ORDERS))
    notebook = nbformat.read(NOTEBOOK, as_version=4)
    client = NotebookClient(notebook, timeout=CELL_SECONDS_MAX, kernel_name="python3")
    await client.async_execute()
    text = said(notebook)
    assert f"yes all {ORDERS} orders were answered CONFIRMED" in text
    assert "yes after cancelling, every piece is for sale again" in text
    assert "NO " not in text
    for step in ("search", "product", "cart", "order", "read", "cancel"):
        assert f"\n{step:<8} " in text
    drawn = [
        output
        for cell in notebook.cells
        for output in cell.get("outputs", ())
        if "image/png" in output.get("data", {})
    ]
    assert len(drawn) == 1


def test_the_notebook_is_kept_without_outputs() -> None:
    notebook = nbformat.read(NOTEBOOK, as_version=4)
    cells = [cell for cell in notebook.cells if cell.cell_type == "code"]
    assert [cell.outputs for cell in cells] == [[]] * len(cells)
    assert [cell.execution_count for cell in cells] == [None] * len(cells)
