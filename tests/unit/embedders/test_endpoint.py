from __future__ import annotations

import pytest

from mnemoloom.embedders.endpoint import endpoint
from mnemoloom.errors import ConfigError


@pytest.mark.parametrize(
    ("host", "url"),
    [
        ("http://127.0.0.1:11434", "http://127.0.0.1:11434"),
        ("http://127.0.0.1:11434/", "http://127.0.0.1:11434"),
        ("http://localhost", "http://localhost:80"),
        ("https://LOCALHOST:1234/ollama/", "https://localhost:1234/ollama"),
        ("http://[::1]:11434", "http://[::1]:11434"),
        ("http://127.9.9.9:1", "http://127.9.9.9:1"),
    ],
)
def test_this_machine_needs_no_permission(host, url):
    found = endpoint(host, allow_remote=False)
    assert found.url == url
    assert found.local


@pytest.mark.parametrize(
    "host",
    [
        "https://example.org",
        "http://192.168.1.5:11434",
        "http://0.0.0.0:11434",
        "http://2130706433:11434",  # 127.0.0.1 in disguise is still not a name we know
        "http://localhost.example.org",
        "http://127.0.0.1.example.org",
    ],
)
def test_another_machine_needs_permission(host):
    with pytest.raises(ConfigError, match="allow_remote=True"):
        endpoint(host, allow_remote=False)
    assert not endpoint(host, allow_remote=True).local


@pytest.mark.parametrize(
    "host",
    [
        "http://169.254.169.254",
        "http://[fe80::1]",
        "http://[::ffff:169.254.169.254]",
        "http://[fd00:ec2::254]",
        "http://2852039166",
        "http://0xA9FEA9FE",
        "http://169.254.43518",
        "http://0251.0376.0251.0376",
        "http://metadata.google.internal",
        "http://Metadata.Google.Internal.",
    ],
)
def test_link_local_and_metadata_addresses_are_refused_even_with_permission(host):
    with pytest.raises(ConfigError, match="link-local or metadata"):
        endpoint(host, allow_remote=True)


@pytest.mark.parametrize(
    "host",
    [
        "",
        "127.0.0.1:11434",
        "localhost",
        "ftp://127.0.0.1",
        "file:///etc/passwd",
        "http://",
        "http://:80",
        "http://127.0.0.1:port",
        "http://127.0.0.1:99999",
        "http://[::1",
        "http://127.0.0.1/?a=1",
        "http://127.0.0.1/#a",
    ],
)
def test_anything_but_a_plain_http_url_is_refused(host):
    with pytest.raises(ConfigError, match="host must"):
        endpoint(host, allow_remote=True)


def test_a_password_is_refused_and_not_repeated():
    with pytest.raises(ConfigError, match="user name or password") as got:
        endpoint("http://ann:hunter2@127.0.0.1:11434", allow_remote=True)
    assert "hunter2" not in str(got.value)


def test_a_password_in_an_unreadable_url_is_not_repeated():
    with pytest.raises(ConfigError) as got:
        endpoint("http://ann:hunter2@127.0.0.1:port", allow_remote=True)
    assert "hunter2" not in str(got.value)
