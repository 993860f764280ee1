"""Where LangGraph's InMemoryStore falls short of the contract: measured here, and told in STORE.md."""

from __future__ import annotations

import re
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

import langchain_mnemoloom

CONTRACT = Path(__file__).with_name("contract_on_langgraphs_store.py")
REPORT = Path(langchain_mnemoloom.__file__).with_name("STORE.md").read_text(encoding="utf-8")


def test_the_report_names_what_the_release_that_it_speaks_of_fails() -> None:
    told = set(re.findall(r"`test_(strict_\w+)`", REPORT))
    command = [sys.executable, "-m", "pytest", "-q", "-rfE", "-p", "no:cacheprovider", str(CONTRACT)]
    done = subprocess.run(command, capture_output=True, text=True, cwd=CONTRACT.parents[3], timeout=120)
    failed = re.findall(r"^(?:FAILED|ERROR) \S+::test_(\w+)", done.stdout, re.MULTILINE)
    passed = re.search(r"(\d+) passed", done.stdout)
    assert passed is not None, done.stdout + done.stderr
    assert int(passed.group(1)) >= 40
    if f"langgraph-checkpoint {version('langgraph-checkpoint')}" in REPORT:  # other releases fail other cases
        assert set(failed) == told, done.stdout
        assert f"fails {len(failed)} " in REPORT
        assert f"passes the {passed.group(1)} " in REPORT
    else:
        assert failed
