"""The ready-made redactor takes what has a form, and leaves what only looks a little like it."""

from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mnemoloom.errors import ConfigError, RedactionError
from mnemoloom.redaction import KINDS, Redactor, redact_metadata, redact_text

TAKEN = {
    "Write to ann.smith+home@mail.example.org.": "Write to [email].",
    "(bo@example.com) and zoë@exämple.de": "([email]) and [email]",
    "Call +47 22 12 34 56 or +1 (415) 555-2671!": "Call [phone] or [phone]!",
    "0049 89 1234567 is the office": "[phone] is the office",
    "Dial 415-555-2671, (415) 555-2671 or 415.555.2671": "Dial [phone], [phone] or [phone]",
    "Visa 4111 1111 1111 1111, Amex 378282246310005.": "Visa [card], Amex [card].",
    "5500-0000-0000-0004 and 4012888888881881": "[card] and [card]",
    "IBAN DE89 3704 0044 0532 0130 00 BANK": "IBAN [iban] BANK",
    "gb82west12345698765432, NO9386011117947": "[iban], [iban]",
    "ping 192.168.0.1 or 8.8.8.8:53": "ping [ip] or [ip]:53",
    "at 2001:db8::ff00:42:8329, ::1 and fe80::1": "at [ip], [ip] and [ip]",
    "::ffff:192.0.2.128": "[ip]",
    "key sk-proj-abcdefghijklmnopqrstuvwx1234": "key [key]",
    "AKIAIOSFODNN7EXAMPLE and ghp_" + "a1" * 18: "[key] and [key]",
    "api_key = 'abcd1234efgh'": "api_key = '[key]'",
    "Authorization: Bearer abc123def456ghi": "Authorization: Bearer [key]",
    "password: hunter2hunter2": "password: [key]",
    "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0In0.dozjgNryP4J3jVmNHl0w5N_XgL0n3I9P": "[key]",
    "-----BEGIN RSA PRIVATE KEY-----\nMIIEow+/=\n-----END RSA PRIVATE KEY-----": "[key]",
}


LEFT = [
    "The meeting is on 2026-05-14 at 12:30:45, room 415.",
    "Order 1234567890123 of 2026, total 1,234,567.89 euros",
    "4111 1111 1111 1112 fails the checksum, 1111111111111111 is no card",
    "DE89 3704 0044 0532 0130 01 fails it, too",
    "Version 1.2.3 and 300.1.2.3, section 1.2.3.4.5",
    "std::vector<int> and a ratio of 3:2",
    "Twitter @ann, a@b, and 3 @ 5",
    "My password: I forgot it. The token is lost.",
    "Numbers: 100 200 3000, 2-3-4, 12 34 56 78",
    "Ann lives in Oslo since May 2026.",
    "sk-short and AKIA123",
    "SHA 9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
    "5 + 10 = 15, +1 for that",
]


@pytest.mark.parametrize("text", TAKEN)
def test_what_has_a_form_is_taken(text: str) -> None:
    assert Redactor()(text) == TAKEN[text]


@pytest.mark.parametrize("text", LEFT)
def test_what_only_looks_a_little_like_it_is_left(text: str) -> None:
    assert Redactor()(text) == text


def test_only_the_kinds_that_are_asked_for_are_taken() -> None:
    text = "ann@example.org at 10.0.0.1"
    assert Redactor(("email",))(text) == "[email] at 10.0.0.1"
    assert Redactor(("ip",))(text) == "ann@example.org at [ip]"
    assert Redactor(())(text) == text


@pytest.mark.parametrize("wrong", [("name",), "email", None])
def test_an_unknown_kind_is_refused(wrong: object) -> None:
    with pytest.raises(ConfigError, match="kinds"):
        Redactor(wrong)  # type: ignore[arg-type]


PIECES = st.sampled_from([*TAKEN, *LEFT, "@", "+1", "::", "4111", " ", "\n", "é", "[email]", "0" * 30])


@given(st.lists(PIECES | st.text(max_size=8), max_size=8).map("".join))
def test_what_was_redacted_once_stays_as_it_is(text: str) -> None:
    once = Redactor()(text)
    assert Redactor()(once) == once


@pytest.mark.parametrize(
    "piece", ["a.", "1", "1 ", "a@", ":", "a:", "+1", "password: ", "1.", "DE89", "-", "eyJ", "sk-"]
)
def test_the_time_is_linear_in_the_text(piece: str) -> None:
    started = time.perf_counter()
    Redactor()(piece * (200_000 // len(piece)))
    assert time.perf_counter() - started < 5.0


def test_metadata_is_redacted_through_and_through_but_for_its_keys() -> None:
    given = {"a@b.org": ["a@b.org", {"deep": "a@b.org"}], "n": 1, "t": True, "none": None}
    assert redact_metadata(given, Redactor()) == {
        "a@b.org": ["[email]", {"deep": "[email]"}],
        "n": 1,
        "t": True,
        "none": None,
    }


def test_a_hook_that_fails_is_named_without_the_text() -> None:
    def failing(text: str) -> str:
        raise ZeroDivisionError(text)

    with pytest.raises(RedactionError, match="ZeroDivisionError") as caught:
        redact_text("xyzzy7f3a", failing)
    assert "xyzzy7f3a" not in str(caught.value)
    assert caught.value.__cause__ is None
    assert caught.value.__suppress_context__
    with pytest.raises(RedactionError, match="NoneType"):
        redact_text("xyzzy7f3a", lambda text: None)  # type: ignore[arg-type, return-value]


def test_every_kind_has_a_taker() -> None:
    assert Redactor().kinds == KINDS
