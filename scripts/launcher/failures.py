"""Why a command ends: one line for people and an exit code."""

from enum import IntEnum


class Exit(IntEnum):
    """Exit codes of the commands."""

    FAILED = 1
    BAD_SETTING = 2
    PORT_TAKEN = 3
    NO_ROOM = 4


class Failure(RuntimeError):
    """A command cannot go on; its text is the one line that is shown."""

    def __init__(self, line: str, code: Exit = Exit.FAILED) -> None:
        super().__init__(line)
        self.code = code
