"""The pages for contributors name what there is, and the version is stated once."""

import re
import subprocess
import tomllib
from pathlib import Path

import pytest
from django.conf import settings

ROOT = Path(settings.BASE_DIR)
CONTRIBUTING = (ROOT / "CONTRIBUTING.md").read_text()
VERSION = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]
# Made by a first run, or named as a place that is still empty.
NOT_YET = {"analyses/exchange/", "var/dev", "var/t"}
PATH = re.compile(r"[\w.*-]*(?:/[\w.*-]+)+/?|[\w-]+\.(?:py|md|toml|yaml)")


def code_of(text: str) -> str:
    """What stands in code spans, links and indented blocks: the words that somebody will type or open."""
    spans = re.findall(r"`([^`]+)`", text) + re.findall(r"\]\(([^)]+)\)", text)
    return "\n".join([*spans, *(line for line in text.splitlines() if line.startswith("    "))])


def test_every_make_target_that_it_names_exists():
    targets = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(), re.M))
    named = set(re.findall(r"\bmake ([a-z]+)", code_of(CONTRIBUTING)))
    assert {"dev", "t", "lint", "messages", "migrations", "test"} <= named <= targets


def test_every_path_that_it_names_exists():
    named = {path.rstrip(".") for path in PATH.findall(re.sub(r"https?://\S+", "", code_of(CONTRIBUTING)))}
    missing = {path for path in named - NOT_YET if not list(ROOT.glob(path.strip("/")))}
    # A name alone is one that several rooms have.
    assert {path for path in missing if "/" in path or not list(ROOT.rglob(path))} == set()
    assert len(named) > 30


def test_every_decision_is_in_the_index():
    folder = ROOT / "docs" / "decisions"
    index = (folder / "README.md").read_text()
    records = {path.name for path in folder.glob("*.md")} - {"README.md"}
    assert set(re.findall(r"\]\(([\w-]+\.md)\)", index)) == records


def test_make_help_tells_every_target_that_has_words():
    told = subprocess.run(["make", "-s", "help"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    wanted = re.findall(r"^([a-z-]+):.*## ", (ROOT / "Makefile").read_text(), re.M)
    assert [line.split()[0] for line in told.splitlines()] == wanted


def test_the_version_is_that_of_pyproject_wherever_it_stands():
    assert settings.VERSION == VERSION
    assert f"bonescan:${{BONESCAN_VERSION:-{VERSION}}}" in (ROOT / "compose.yaml").read_text()
    assert f"| `BONESCAN_VERSION` | `{VERSION}` |" in (ROOT / "docs" / "operating.md").read_text()
    newest = re.search(r"^## (\S+)", (ROOT / "CHANGELOG.md").read_text(), re.M)
    assert newest is not None
    assert newest[1] == VERSION


@pytest.mark.parametrize(
    ("message", "accepted"),
    [
        ("A subject\n\nwith a body\n", True),
        ("A subject\n# what git adds\n", True),
        ("x" * 72 + "\n", False),
        ("A subject\nthat runs on\n", False),
    ],
)
def test_a_commit_message_has_a_short_subject_and_then_an_empty_line(tmp_path, message, accepted):
    path = tmp_path / "message"
    path.write_text(message)
    done = subprocess.run([ROOT / "scripts" / "commit_message", path], capture_output=True)
    assert (done.returncode == 0) is accepted
