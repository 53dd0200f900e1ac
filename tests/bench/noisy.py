"""A process of the bench in which everything prints: before, during and after."""

import asyncio
import os

from scripts.benching.errands import serve_lines


async def answer(line: bytes) -> bytes:
    """The line, backwards."""
    print("a library's own log line")
    os.write(1, b"and one past Python\n")
    return line.strip()[::-1]


if __name__ == "__main__":
    print("joined the cluster")
    asyncio.run(serve_lines(answer))
