"""What a person sees while a shop starts or ends: a line a step, with its seconds."""

import os
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TextIO

from rich.console import Console

LOG_BYTES_MAX = 20 << 20


class Progress:
    """Lines for people; everything else that is printed goes to a file."""

    def __init__(self, stream: TextIO | None = None) -> None:
        self._stream = stream or sys.stdout
        self._console = Console(file=self._stream, highlight=False, soft_wrap=True)
        self._began = time.monotonic()

    @contextmanager
    def step(self, name: str) -> Iterator[None]:
        """Show the step when it is done."""
        began = time.monotonic()
        yield
        self.line(f"[green]✓[/] {name:<34}[dim]{time.monotonic() - began:6.1f} s[/]")

    def line(self, text: str = "") -> None:
        """Show one line (with rich's markup)."""
        self._console.print(text, markup=True)

    def on_terminal(self) -> bool:
        """Whether a person sees the lines as they come."""
        return self._stream.isatty()

    def close(self) -> None:
        """Show nothing from now on."""
        self._console = Console(quiet=True)
        self._stream.close()

    def seconds(self) -> float:
        """Since the command began."""
        return time.monotonic() - self._began


def own_console(log: Path) -> TextIO:
    """Send this process' output to `log` and give the terminal it had before.

    Ray, Serve and every library print when they like; people get only our lines.
    """
    log.parent.mkdir(parents=True, exist_ok=True)
    if log.exists() and log.stat().st_size > LOG_BYTES_MAX:
        log.replace(log.with_name(log.name + ".1"))
    terminal = os.fdopen(os.dup(1), "w", buffering=1)
    sys.stdout.flush()
    sys.stderr.flush()
    descriptor = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    os.dup2(descriptor, 1)
    os.dup2(descriptor, 2)
    os.close(descriptor)
    return terminal
