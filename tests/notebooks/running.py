"""A notebook run headless, and what its cells said and drew."""

from pathlib import Path
from typing import Any

import nbformat
from nbclient import NotebookClient

FOLDER = Path(__file__).resolve().parents[2] / "notebooks"
CELL_SECONDS_MAX = 300


async def executed(name: str) -> Any:
    """The notebook with its outputs; raises when a cell does."""
    notebook = nbformat.read(FOLDER / f"{name}.ipynb", as_version=4)
    client = NotebookClient(notebook, timeout=CELL_SECONDS_MAX, kernel_name="python3")
    await client.async_execute()
    return notebook


def said(notebook: Any) -> str:
    """All text that its cells printed."""
    return "".join(output.get("text", "") for output in _outputs(notebook))


def drawn(notebook: Any) -> int:
    """How many pictures its cells drew."""
    return sum("image/png" in one.get("data", {}) for one in _outputs(notebook))


def _outputs(notebook: Any) -> list[Any]:
    return [output for cell in notebook.cells for output in cell.get("outputs", ())]
