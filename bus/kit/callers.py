"""Who may call which NATS services: names and subjects, as an operator writes them."""

import re
from collections.abc import Mapping, Sequence
from fnmatch import fnmatchcase

import msgspec

CALLERS_MAX = 64
SUBJECTS_MAX = 64
TAKEN = frozenset({"souk", "events", "services"})
"""Users that every shop has: itself, who reads events, who may call everything."""

Callers = dict[str, tuple[str, ...]]

_NAME = re.compile(r"[a-z][a-z0-9-]{0,31}")
_SUBJECT = re.compile(r"[a-z]+\.([a-z][a-z-]*|\*)")
_DECODER = msgspec.json.Decoder(Callers)


def parse_callers(text: str) -> Callers:
    """Callers by name, of `{"billing": ["payment.process", "payment.*"]}`.

    Raises ValueError with one line that says what is wrong.
    """
    try:
        callers = _DECODER.decode(text)
    except msgspec.MsgspecError:
        form = '{"billing": ["payment.process", "inventory.*"]}'
        raise ValueError(f"must be JSON such as {form}") from None
    if len(callers) > CALLERS_MAX:
        raise ValueError(f"names more than {CALLERS_MAX} callers")
    for name, subjects in callers.items():
        if not _NAME.fullmatch(name) or name in TAKEN:
            raise ValueError(f"{name!r} cannot be a caller's name")
        if not 1 <= len(subjects) <= SUBJECTS_MAX:
            raise ValueError(f"{name} may call 1 to {SUBJECTS_MAX} subjects")
        for subject in subjects:
            if not _SUBJECT.fullmatch(subject):
                raise ValueError(f"{subject!r} is no subject such as payment.process")
    return callers


def allowed_subjects(
    callers: Mapping[str, Sequence[str]], known: Sequence[str]
) -> Callers:
    """The known subjects that each caller may call; `payment.*` stands for several.

    Raises ValueError for one that nobody serves: a permission that was misspelt would
    be missed only when it is needed.
    """
    found: Callers = {}
    for name, patterns in callers.items():
        subjects: set[str] = set()
        for pattern in patterns:
            some = {subject for subject in known if fnmatchcase(subject, pattern)}
            if not some:
                raise ValueError(f"{name} may call {pattern}, which nobody serves")
            subjects |= some
        found[name] = tuple(sorted(subjects))
    return found
