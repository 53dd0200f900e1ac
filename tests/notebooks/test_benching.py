"""The notebooks of the bench, at a small size against a running shop."""

import re

import pytest

from tests.docs.running import Address
from tests.notebooks.running import drawn, executed, said

pytestmark = pytest.mark.notebooks


@pytest.mark.parametrize("where", ["processes", "ray"])
async def test_a_load_is_drawn_and_its_figures_count(
    running_shop: Address, monkeypatch: pytest.MonkeyPatch, where: str
) -> None:
    for name, value in {
        "SOUK_DATA_DIR": running_shop.data_dir,
        "SOUK_CLIENTS": "2,8",
        "SOUK_SECONDS": "2",
        "SOUK_LOAD": where,
    }.items():
        monkeypatch.setenv(name, value)
    notebook = await executed("load_test")
    text = said(notebook)
    source = "Ray tasks" if where == "ray" else "processes of this machine"
    assert f"2 loads of 2 s from {source}" in text
    assert "audit: no violation" in text
    assert "NO " not in text
    (orders,) = re.findall(r"yes (\d+) orders were answered", text)
    assert int(orders) > 0
    assert drawn(notebook) == 2


async def test_a_sale_is_exact_also_when_a_shard_is_killed(
    running_shop: Address, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in {
        "SOUK_DATA_DIR": running_shop.data_dir,
        "SOUK_BUYERS": "150",
        "SOUK_PIECES": "20",
        "SOUK_CLIENTS": "8",
        "SOUK_SECONDS": "1",
        "SOUK_KILL": "inventory/0",
    }.items():
        monkeypatch.setenv(name, value)
    notebook = await executed("flash_sale")
    text = said(notebook)
    assert text.count("yes exactly 20 of 20 pieces are sold, none is lost") == 2
    assert "undisturbed: 20 of 150 buyers got one of 20 pieces" in text
    assert "inventory/0 killed half-way:" in text
    assert "NO " not in text
    assert drawn(notebook) == 2
