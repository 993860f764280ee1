"""Taking personal data out of a text: the hook of `Config.redact`, and a ready-made one for data with a form.

`Redactor` takes what can be told by its form: e-mail addresses, phone numbers, card numbers, IBANs, IP addresses, keys
of services. It is conservative: checksums must hold where there are any, and a number that could be anything stays.
So it lets through, by intent: names and postal addresses, phone numbers without a country code outside North America,
numbers written in words, addresses spelled as "ann at example dot org", secrets without a known form. It takes too much
where a form is ambiguous: a version of four numbers (1.2.3.4) is an IPv4 address, a number that passes a card's
checksum by chance is a card (one in ten of 13 to 19 digits).

Every pattern is bounded, so that the time is linear in the length of the text.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from ipaddress import ip_address

from mnemoloom.errors import ConfigError, RedactionError, told

__all__ = ["KINDS", "Redact", "Redactor", "redact_metadata", "redact_text"]

Redact = Callable[[str], str]

KINDS = ("key", "email", "iban", "card", "ip", "phone")

_KEY = re.compile(
    r"-----BEGIN [A-Z ]{0,20}PRIVATE KEY-----[A-Za-z0-9+/=\s:,-]{0,8000}-----END [A-Z ]{0,20}PRIVATE KEY-----"
    r"|(?<![\w-])(?:"
    r"sk-[\w-]{20,200}|(?:sk|rk|pk)_(?:live|test)_\w{10,200}|gh[pousr]_\w{30,255}|github_pat_\w{30,255}"
    r"|glpat-[\w-]{20,200}|xox[abeoprs]-[\w-]{10,255}|(?:AKIA|ASIA)[0-9A-Z]{16}|AIza[\w-]{35}|hf_[A-Za-z0-9]{30,100}"
    r"|npm_[A-Za-z0-9]{36}|pypi-[\w-]{50,400}|eyJ[\w-]{10,2000}\.eyJ[\w-]{10,4000}\.[\w-]{10,1000}"
    r")(?![\w-])"
)
_NAMED_KEY = re.compile(
    r"(?i)(?<!\w)((?:api[ _-]?key|access[ _-]?token|auth[ _-]?token|client[ _-]?secret|secret[ _-]?key|password|bearer)"
    r"(?:\s{0,3}[:=]\s{0,3}|\s)[\"']?)((?=[^\s\"']{0,300}\d)[^\s\"'\[\]]{8,300})"
)
_EMAIL = re.compile(r"(?<![\w.%+-])[\w.%+'-]{1,64}@(?:[\w-]{1,63}\.){1,8}[^\W\d_]{2,24}(?![\w-])")
_IBAN = re.compile(r"(?<![A-Za-z0-9])[A-Za-z]{2}\d{2}(?: ?[A-Za-z0-9]){11,30}(?![A-Za-z0-9])")
_CARD = re.compile(r"(?<![\d.,-])\d(?:[ -]?\d){12,18}(?![\d]|[.,-]\d)")
_IPV4 = re.compile(r"(?<![\w.])\d{1,3}(?:\.\d{1,3}){3}(?![\w]|\.\d)")
_IPV6 = re.compile(
    r"(?<![\w:.])(?=[0-9A-Fa-f:.]{0,44}[0-9A-Fa-f])[0-9A-Fa-f:]{2,39}(?:(?:\.\d{1,3}){3})?(?![\w:]|\.\d)"
)
_PHONE = re.compile(
    r"(?<![\w+])(?<!\d[ -])(?:\+[1-9]|00[1-9]\d{0,2}[ /-]\d)(?:[ ./()-]{0,2}\d){6,13}(?!\d)"
    r"|(?<![\w+.-])(?<!\d )(?:\([2-9]\d{2}\) ?|[2-9]\d{2}[-. ])[2-9]\d{2}[-. ]\d{4}(?![\w-])"
)

# ISO 13616: countries by the length of their IBANs
_COUNTRIES = {
    15: "NO",
    16: "BE",
    18: "DK FI FO GL NL SD",
    19: "MK SI",
    20: "AT BA EE KZ LT LU XK",
    21: "CH HR LI LV",
    22: "BG BH CR DE GB GE IE ME RS VA",
    23: "AE GI IL IQ TL",
    24: "AD CZ ES MD PK RO SA SE SK TN VG",
    25: "LY PT ST",
    26: "IS TR",
    27: "FR GR IT MC MR SM",
    28: "AL AZ BY CY DO GT HU LB PL SV",
    29: "BR EG PS QA UA",
    30: "JO KW MU",
    31: "MT SC",
    32: "LC",
}
_IBAN_LENGTHS = {country: length for length, countries in _COUNTRIES.items() for country in countries.split()}


@dataclass(frozen=True, slots=True)
class Redactor:
    """A hook for `Config.redact`: puts `[email]`, `[phone]`, `[card]`, `[iban]`, `[ip]` and `[key]` for such data.

    kinds: which of KINDS to take. What was redacted once is left as it is.
    """

    kinds: tuple[str, ...] = KINDS

    def __post_init__(self) -> None:
        if not isinstance(self.kinds, tuple) or not set(KINDS).issuperset(self.kinds):
            raise ConfigError(f"Redactor.kinds must be some of {', '.join(KINDS)}; got {told(self.kinds)}")

    def __call__(self, text: str) -> str:
        before = None
        while text != before:  # what is taken may lay bare what was grown together with it
            before = text
            for kind in KINDS:
                if kind in self.kinds:
                    text = _TAKERS[kind](text)
        return text


def redact_text(text: str, redact: Redact) -> str:
    """What a hook makes of a text. Raises RedactionError, which does not show the text."""
    try:
        found = redact(text)
    except Exception as error:  # noqa: BLE001 - a caller's hook may raise anything, and its message may hold the text
        raise RedactionError(f"the redaction hook raised {type(error).__name__}") from None
    if not isinstance(found, str):
        raise RedactionError(f"the redaction hook must return a string; it returned {type(found).__name__}")
    return found


def redact_metadata(value: object, redact: Redact) -> object:
    """Metadata with every string in it redacted, keys left as they are."""
    if isinstance(value, str):
        return redact_text(value, redact)
    if isinstance(value, dict):
        return {key: redact_metadata(inner, redact) for key, inner in value.items()}
    return [redact_metadata(inner, redact) for inner in value] if isinstance(value, (list, tuple)) else value


def _take_keys(text: str) -> str:
    return _NAMED_KEY.sub(r"\1[key]", _KEY.sub("[key]", text))


def _take_ibans(text: str) -> str:
    return _IBAN.sub(_without_iban, text)


def _without_iban(found: re.Match[str]) -> str:
    """The match without its IBAN; letters that follow may have been caught with it."""
    said = found[0]
    length = _IBAN_LENGTHS.get(said[:2].upper(), 0)
    places = [place for place, character in enumerate(said) if character != " "]
    if not length or len(places) < length:
        return said
    end = places[length - 1] + 1
    if end < len(said) and said[end] != " ":
        return said
    compact = said[:end].replace(" ", "").upper()
    number = "".join(str(int(character, 36)) for character in compact[4:] + compact[:4])
    return f"[iban]{said[end:]}" if int(number) % 97 == 1 else said


def _take_cards(text: str) -> str:
    return _CARD.sub(lambda found: "[card]" if _is_card(found[0]) else found[0], text)


def _is_card(said: str) -> bool:
    """Luhn's checksum holds, and the first digit is one that a payment card has."""
    digits = [int(character) for character in said if character.isdecimal()]
    if digits[0] not in (2, 3, 4, 5, 6) or len(set(digits)) == 1:
        return False
    doubled = [sum(divmod(2 * digit, 10)) for digit in digits[-2::-2]]
    return (sum(doubled) + sum(digits[-1::-2])) % 10 == 0


def _take_addresses(text: str) -> str:
    text = _IPV6.sub(lambda found: "[ip]" if ":" in found[0] and _is_ip(found[0]) else found[0], text)
    return _IPV4.sub(lambda found: "[ip]" if _is_ip(found[0]) else found[0], text)


def _is_ip(said: str) -> bool:
    try:
        ip_address(said)
    except ValueError:
        return False
    return True


_TAKERS: dict[str, Redact] = {
    "key": _take_keys,
    "email": lambda text: _EMAIL.sub("[email]", text),
    "iban": _take_ibans,
    "card": _take_cards,
    "ip": _take_addresses,
    "phone": lambda text: _PHONE.sub("[phone]", text),
}
