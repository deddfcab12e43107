"""`python -m inference leakage`: two lists, a stored protocol, or a folder with a split of its own."""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import numpy as np

from inference.errors import DataError
from inference.lab.data.folder import LabelledFilm, image_files, load_films, read_rows
from inference.lab.data.leakage import Verdict, condemned
from inference.lab.data.perceptual import Fingerprints, fingerprints
from inference.lab.data.protocols import DEFAULT_HELD_OUT, PROTOCOLS, load_split
from inference.lab.data.sources import SOURCES, TEST_PART, load_source

CONDEMNED = 3
_SPLITS = ("train", "valid", "validation", "val", "test")


def add_leakage(commands: argparse._SubParsersAction) -> None:
    """Add the sub-command; it exits with 0 for a clean pair of lists, 3 for a condemned one, 2 for unusable data."""
    leakage = commands.add_parser(
        "leakage",
        help="look for training images in a test list",
        description="Compare a training list A with a test list B. A list is a folder with images/ and labels.csv, a "
        "CSV file in such a folder (or anywhere, with --images), or a folder of image files. One folder alone is "
        "compared with itself: by --protocol, or by its labels.csv with the columns split, file and label. "
        "Exit status: 0 passed, 3 condemned, 2 unusable data.",
    )
    leakage.add_argument("lists", type=Path, nargs="*", metavar="LIST", help="A B, or one folder")
    leakage.add_argument("--images", type=Path, metavar="DIR", help="folder that holds images/")
    leakage.add_argument("--labels", type=Path, metavar="CSV", help="table of labels, with --images and --protocol")
    leakage.add_argument("--protocol", choices=PROTOCOLS, help="compare its test list with everything else")
    leakage.add_argument("--held-out", default=DEFAULT_HELD_OUT, help="fold that validates (default: %(default)s)")
    leakage.add_argument(
        "--separate-groups", action="store_true", help="A and B number their groups independently: do not compare them"
    )
    leakage.add_argument(
        "--sources", action="store_true", help="LIST is a data folder: each source of films against all the others"
    )
    leakage.add_argument("--json", type=Path, metavar="OUT", help="write the verdict as JSON")
    leakage.set_defaults(run=run_leakage)


def run_leakage(options: argparse.Namespace) -> int:
    """Print the verdict, write it where --json says, and return the exit status."""
    if options.sources:
        return _run_sources(options)
    train, test = _chosen_lists(options)
    verdict = condemned(train, test, same_groups=not options.separate_groups)
    if options.json:
        options.json.write_text(json.dumps(verdict.as_dict(), indent=1) + "\n", encoding="utf-8")
    print(describe(verdict))
    return CONDEMNED if verdict.condemns else 0


def _run_sources(options: argparse.Namespace) -> int:
    """Compare each source of tumour-free films with every other one and with the films of the tumour folder."""
    if len(options.lists) != 1 or options.protocol or options.labels:
        raise DataError("bad_lists", "With --sources, name one data folder as LIST and nothing else.")
    verdicts = source_verdicts(options.lists[0])
    if options.json:
        stored = {name: verdict.as_dict() for name, verdict in verdicts.items()}
        options.json.write_text(json.dumps(stored, indent=1) + "\n", encoding="utf-8")
    for name, verdict in verdicts.items():
        print(f"{name}: {describe(verdict)}")
    return CONDEMNED if any(verdict.condemns for verdict in verdicts.values()) else 0


def source_verdicts(root: Path) -> dict[str, Verdict]:
    """Return for each source of `root` what it shares with all other films that are ever trained on.

    Sources number their groups independently; the frozen part of the tumour folder is not read.
    """
    home = [film for film in load_films(root / "btxrd") if film.part != TEST_PART]
    films = {"btxrd": home} | {name: load_source(root, name).films for name in SOURCES}
    prints = {name: fingerprints([film.path for film in part]) for name, part in films.items()}
    found = {}
    for name in SOURCES:
        others = [other for other in films if other != name]
        rest = [film for other in others for film in films[other]]
        known = Fingerprints(
            [digest for other in others for digest in prints[other].sha256],
            np.concatenate([prints[other].maps for other in others]),
        )
        found[name] = condemned(rest, films[name], known, prints[name], same_groups=False)
    return found


def _chosen_lists(options: argparse.Namespace) -> tuple[list[LabelledFilm], list[LabelledFilm]]:
    if options.protocol:
        if len(options.lists) + (options.images is not None) != 1:
            raise DataError("bad_lists", "With --protocol, name one data folder, as LIST or as --images.")
        split = load_split(
            options.images or options.lists[0], options.protocol, options.held_out, labels=options.labels
        )
        return split.train + split.validation, split.test
    if options.labels:
        raise DataError("bad_lists", "--labels belongs to --protocol; give tables as LIST otherwise.")
    if len(options.lists) == 1:
        return load_own_split(options.lists[0])
    if len(options.lists) != 2:
        raise DataError("bad_lists", "Name two lists, or one folder with --protocol or a split of its own.")
    return load_list(options.lists[0], options.images), load_list(options.lists[1], options.images)


def load_list(path: Path, images: Path | None = None) -> list[LabelledFilm]:
    """Return the films of a data folder, a table of labels, or a folder of image files without labels."""
    if path.is_file():
        return load_films(images or path.parent, path, classes=())
    if (path / "labels.csv").is_file():
        return load_films(path, classes=())
    found = image_files(path)
    if not found:
        raise DataError("no_images", f"{path.name}: no table, no folder with labels.csv and no folder of images.")
    return [LabelledFilm(file.name, "", file.name, "", file, {}) for file in sorted(found.values())]


def load_own_split(folder: Path) -> tuple[list[LabelledFilm], list[LabelledFilm]]:
    """Read labels.csv (split, file, label) of `folder`, images in folder/<split>/<file>: all but test, and test.

    Other people's data sets have other classes and gaps: any label is taken, and none.
    """
    lists: tuple[list[LabelledFilm], list[LabelledFilm]] = ([], [])
    for number, row in enumerate(read_rows(folder / "labels.csv", ("split", "file", "label")), start=2):
        where = f"labels.csv row {number}"
        if row["split"] not in _SPLITS:
            raise DataError("unknown_split", f"{where}: the split {row['split']!r} is none of {', '.join(_SPLITS)}.")
        path = folder / row["split"] / Path(row["file"]).name
        if not path.is_file():
            raise DataError("missing_image", f"{where}: {row['split']}/ has no file {row['file']}.")
        image_id = f"{row['split']}/{row['file']}"
        film = LabelledFilm(image_id, row["label"], row.get("group_id") or image_id, row["split"], path, row)
        lists[row["split"] == "test"].append(film)
    return lists


def describe(verdict: Verdict) -> str:
    """Return the verdict for people: one line, the reading of the names, and a few pairs to look at."""
    names, lines = verdict.names, [verdict.sentence()]
    if names.n:
        lines.append(
            f"names: without their digits they give {names.right} of {names.n} labels "
            f"({100 * names.right / names.n:.1f} %); always the commonest label gives "
            f"{names.majority_right} ({100 * names.majority_right / names.n:.1f} %)"
        )
    examples = verdict.as_dict()["examples"]
    lines += [f"identical: {test} = {train}" for test, train in examples["identical"][:3]]
    lines += [
        f"twin: {twin['test_id']} ~ {twin['train_id']} ({twin['correlation']:.2f}, {twin['position']}"
        f"{', inverted' if twin['inverted'] else ''})"
        for twin in examples["twins"][:5]
    ]
    lines += [f"group on both sides: {group}" for group in examples["shared_groups"][:3]]
    return "\n".join(lines)
