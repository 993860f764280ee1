"""Where an encoder's server may live.

Texts of a private memory are sent there, so it is this machine unless the caller says otherwise.
"""

from __future__ import annotations

import ipaddress
import socket
from typing import NamedTuple
from urllib.parse import SplitResult, urlsplit

from mnemoloom.errors import ConfigError

__all__ = ["Endpoint", "endpoint"]

METADATA_NAMES = frozenset({"metadata", "metadata.google.internal", "instance-data", "fd00:ec2::254"})


class Endpoint(NamedTuple):
    """A server's address, without anything secret in it."""

    url: str
    local: bool  # this machine
    encrypted: bool


def endpoint(host: str, *, allow_remote: bool) -> Endpoint:
    """Return the server that a URL names.

    Raises
    ------
    ConfigError: not http or https, with a user name, a query or a bad port; a link-local or cloud metadata
        address; or another machine without `allow_remote`.
    """
    parts, port = _split(host)
    name = (parts.hostname or "").rstrip(".").lower()
    if name in METADATA_NAMES or _is_link_local(name):
        raise ConfigError(f"host must not be a link-local or metadata address; got {name!r}")
    local = _is_loopback(name)
    if not local and not allow_remote:
        raise ConfigError(
            f"host must be this machine (127.0.0.1, ::1 or localhost); got {name!r}. "
            "Pass allow_remote=True to send the texts of this memory there"
        )
    shown = f"[{name}]" if ":" in name else name
    url = f"{parts.scheme}://{shown}:{port}{parts.path.rstrip('/')}"
    return Endpoint(url=url, local=local, encrypted=parts.scheme == "https")


def _split(host: str) -> tuple[SplitResult, int]:
    # the URL itself stays out of the messages: it may hold a password
    try:
        parts = urlsplit(host)
        port = parts.port
    except ValueError as error:
        raise ConfigError("host must be a URL such as http://127.0.0.1:11434; it cannot be read") from error
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ConfigError(f"host must be a URL that starts with http:// or https://; got the scheme {parts.scheme!r}")
    if "@" in parts.netloc:
        raise ConfigError("host must not hold a user name or password")
    if parts.query or parts.fragment:
        raise ConfigError("host must not hold a query or a fragment")
    return parts, port if port is not None else (443 if parts.scheme == "https" else 80)


def _address(name: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        address = ipaddress.ip_address(name)
    except ValueError:
        return None
    mapped = address.ipv4_mapped if isinstance(address, ipaddress.IPv6Address) else None
    return mapped or address


def _in_disguise(name: str) -> ipaddress.IPv4Address | None:
    """Of 2852039166, 0xa9fea9fe or 169.254.43518 the address that whoever connects makes of it: 169.254.169.254."""
    try:
        return ipaddress.IPv4Address(socket.inet_aton(name))
    except (OSError, UnicodeEncodeError):
        return None


def _is_link_local(name: str) -> bool:
    address = _address(name) or _in_disguise(name)
    return address is not None and address.is_link_local


def _is_loopback(name: str) -> bool:
    address = _address(name)
    return address.is_loopback if address is not None else name == "localhost"
