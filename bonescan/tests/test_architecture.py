"""docs/architecture.md says of the rooms what the import contracts hold."""

import re
import tomllib
from pathlib import Path

from django.conf import settings

ROOT = Path(settings.BASE_DIR)
PAGE = (ROOT / "docs" / "architecture.md").read_text()
# A row of a table that begins with names in code type.
ROW = re.compile(r"^\| ((?:`[a-z_]+`(?:, )?)+) \|", re.MULTILINE)


def contracts() -> list[dict]:
    return tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]["contracts"]


def order_of_rooms() -> list[str]:
    """The rooms of analyses in the order of their contract, without the optional ones."""
    (contract,) = (one for one in contracts() if one.get("containers") == ["analyses"])
    assert contract["exhaustive"]
    names = [name.strip() for layer in contract["layers"] for name in re.split(r"[|:]", layer)]
    return [name for name in names if not name.startswith("(")]


def test_the_table_names_every_room_once_and_in_the_order_of_the_contract():
    section = PAGE.split("## The rooms of the record")[1].split("\n## ")[0]
    rows = [re.findall(r"`([a-z_]+)`", names) for names in ROW.findall(section)]
    assert [name for row in rows for name in row] == order_of_rooms()


def test_the_ways_that_the_page_draws_exist():
    named = set(re.findall(r"\b(?:accounts|analyses|inference|bonescan)/[\w/]+(?:\.py|/)", PAGE))
    assert len(named) > 10
    assert [path for path in named if not (ROOT / path).exists()] == []


def test_no_folder_of_modules_holds_more_than_fifteen_files():
    folders: dict[Path, int] = {}
    for app in ("accounts", "analyses", "bonescan", "inference", "bench"):
        for path in (ROOT / app).rglob("*.py"):
            if not {"tests", "migrations"} & set(path.parts) and path.name != "__init__.py":
                folders[path.parent] = folders.get(path.parent, 0) + 1
    assert {str(folder): count for folder, count in folders.items() if count > 15} == {}
