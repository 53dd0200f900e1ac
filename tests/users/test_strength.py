"""Which passwords are refused."""

import pytest

from actors.users.strength import weakness

KNOWN = ("ada.lovelace@example.com", "Ada", "Lovelace")


@pytest.mark.parametrize(
    ("password", "code"),
    [
        ("violet7", "too-short"),
        ("v1" * 200, "too-long"),
        ("password", "breached"),
        ("Password123!", "breached"),
        ("P@ssw0rd", "breached"),
        ("SunShine2024", "breached"),
        ("baseball", "breached"),
        ("donaldduck", "breached"),
        ("fallen_angel", "breached"),
        ("D0naldDuck!", "breached"),
        ("spongebob1", "breached"),
        ("Test1234!", "breached"),
        ("aaaabbbb", "too-simple"),
        ("abcabcabcabcabc", "too-simple"),
        ("fghijklmn", "too-simple"),
        ("lkjhgfds", "too-simple"),
        ("xkcdxkcd", "too-simple"),
        ("lovelace1815", "too-similar"),
        ("Ada.Lovelace", "too-similar"),
        ("ada.lovelace@example.com", "too-similar"),
        ("l0velacee", "too-similar"),
    ],
)
def test_a_password_that_guessers_try_early_is_weak(password: str, code: str) -> None:
    found = weakness(password, KNOWN)
    assert found is not None
    assert found[0] == code


@pytest.mark.parametrize(
    "password",
    ["a quiet violet harbour", "gK3!nvQ2", "Пароль-для-Ады", "ναυτίλος 77 στίξη"],
)
def test_a_password_that_is_hard_to_guess_is_not_weak(password: str) -> None:
    assert weakness(password, KNOWN) is None
