"""Which passwords are too easy to guess: decided without asking anybody.

After NIST SP 800-63B (3.1.1.2): a length, a list of breached passwords and the context
of the person; no rules on which characters it must hold. The list is the 19,640 most
frequent stolen passwords that Django ships, and some hundred words that stand behind
so many more that digits and look-alike signs do not hide them.
"""

import functools
import gzip
import unicodedata
from difflib import SequenceMatcher
from pathlib import Path

from bus.kit.refusals import FieldError
from bus.users import weak_password

LISTS = Path(__file__).parent / "breached"

LENGTH_MIN = 8
LENGTH_MAX = 256
DISTINCT_MIN = 4
SIMILARITY_MAX = 0.7
PART_LENGTH_MIN = 4

RUNS = (
    "01234567890",
    "abcdefghijklmnopqrstuvwxyz",
    "qwertyuiop",
    "asdfghjkl",
    "zxcvbnm",
)
DIGITS = "0123456789"
SIGNS = "!?.,*#$@-_ "
LEET = str.maketrans("013457@$!", "oieastasi")


def refuse_weak(password: str, *known: str, field: str = "password") -> None:
    """Raise `weak-password` if a guesser would try this password early.

    `known` is what is known of the person: names and the e-mail address.
    """
    found = weakness(password, known)
    if found is not None:
        code, detail = found
        raise weak_password(FieldError(field, code, detail))


def weakness(password: str, known: tuple[str, ...] = ()) -> tuple[str, str] | None:
    """The first thing that is wrong with a password, as code and explanation."""
    if len(password) < LENGTH_MIN:
        return "too-short", f"At least {LENGTH_MIN} characters."
    if len(password) > LENGTH_MAX:
        return "too-long", f"At most {LENGTH_MAX} characters."
    plain = unicodedata.normalize("NFKC", password).casefold()
    if is_breached(plain):
        return "breached", "This password is on lists of stolen passwords."
    if is_simple(plain):
        return "too-simple", "It repeats itself or follows the keyboard."
    if is_similar(plain, known):
        return "too-similar", "It is too much like your name or address."
    return None


def is_breached(plain: str) -> bool:
    """Whether it is on the list, as it is or behind digits and look-alike signs."""
    bare = plain.rstrip(SIGNS)
    core = plain.rstrip(SIGNS + DIGITS)
    disguised = {plain, bare, core, plain.translate(LEET), core.translate(LEET)}
    if not _words().isdisjoint(disguised):
        return True
    long = {each for each in disguised if len(each) >= LENGTH_MIN}
    return not _passwords().isdisjoint(long)


def is_simple(plain: str) -> bool:
    """Whether it is a run of neighbours, one piece repeated, or hardly any signs."""
    if len(set(plain)) < DISTINCT_MIN:
        return True
    if any(plain in run or plain[::-1] in run for run in RUNS):
        return True
    period = (plain + plain).find(plain, 1)
    return period < len(plain)


def is_similar(plain: str, known: tuple[str, ...]) -> bool:
    """Whether it holds, or is nearly, a name or a part of the e-mail address."""
    for part in _parts(known):
        if part in plain and len(part) * 2 >= len(plain):
            return True
        if SequenceMatcher(a=plain, b=part).ratio() >= SIMILARITY_MAX:
            return True
    return False


def _parts(known: tuple[str, ...]) -> set[str]:
    parts: set[str] = set()
    for value in known:
        whole = unicodedata.normalize("NFKC", value).casefold()
        local, _, host = whole.partition("@")
        parts |= {whole, local, host.partition(".")[0]}
        parts |= set(
            local.replace(".", " ").replace("-", " ").replace("+", " ").split()
        )
    return {part for part in parts if len(part) >= PART_LENGTH_MIN}


@functools.cache
def _passwords() -> frozenset[str]:
    """The most frequent ones; what is too short anyway is left out."""
    text = gzip.decompress((LISTS / "common-passwords.txt.gz").read_bytes()).decode()
    return frozenset(word for word in text.split("\n") if len(word) >= LENGTH_MIN)


@functools.cache
def _words() -> frozenset[str]:
    text = (LISTS / "words.txt").read_text("utf-8")
    lines = (line for line in text.splitlines() if not line.startswith("#"))
    return frozenset(word for line in lines for word in line.split())
