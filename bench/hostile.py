"""Posts every file of a folder through the API and tells how each was answered, what was slow and what died.

``python -m bench.hostile FOLDER`` first decodes each file in a child of its own and measures its memory and time, then
posts all of them. It exits with 1 when anything was answered with 5xx or ``internal_error``, died, timed out, took more
than a child may, was read although an element about its pixels went unsaid, or was refused against the manifest: a
MANIFEST.csv whose columns ``path`` and ``a_careful_decoder`` say which files are decodable (``OK``).
"""

import argparse
import csv
import json
import sys
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from bench.children import MOST_MB, MOST_S, Child, measure_all
from bench.client import END_STATES, Answer, Client
from bench.harness import Portal, portal
from bench.silence import silent

# The stated policies under which a decodable file may be refused. Decoders that call a file readable fill up coded data
# that is missing; the portal refuses it as truncated.
POLICY = frozenset(
    {
        *("deflated_not_accepted", "multi_frame", "too_large", "too_many_pixels", "too_much_memory", "too_slow"),
        *("truncated", "raw_detector_data"),
    }
)


@dataclass
class Case:
    """One file with its answer and its end state."""

    path: Path
    answer: Answer
    state: dict[str, Any] = field(default_factory=dict)
    ended_s: float = 0.0

    @property
    def verdict(self) -> str:
        """``202 succeeded benign``, ``202 succeeded withheld``, ``202 failed truncated``, ``400 empty_file``."""
        if not self.answer.analysis_id:
            return f"{self.answer.http_status} {self.answer.code}"
        result, error = self.state.get("result") or {}, self.state.get("error") or {}
        outcome = result.get("outcome", "")
        word = error.get("code") or (outcome if outcome == "withheld" else result.get("reason_code") or outcome)
        return f"{self.answer.http_status} {self.state.get('status', 'unknown')} {word}".strip()

    @property
    def refusal(self) -> str:
        """The code under which the file was refused as unreadable, else empty."""
        if not self.answer.analysis_id:
            return self.answer.code
        return (self.state.get("error") or {}).get("code", "") if self.state.get("status") == "failed" else ""

    @property
    def is_sound(self) -> bool:
        """202 and an end state, or 4xx with a code."""
        if self.answer.analysis_id:
            return self.answer.http_status in (200, 202) and self.state.get("status") in END_STATES
        return 400 <= self.answer.http_status < 500 and self.answer.code not in ("", "no_json")


def post_all(client: Client, files: list[Path], jobs: int) -> list[Case]:
    """Post the files, each under a patient of its own, then wait until each has an end state."""

    def post(numbered: tuple[int, Path]) -> tuple[Case, float]:
        number, path = numbered
        answer = client.post(path.read_bytes(), patient_id=f"H-{number:05d}", name=f"file-{number}")
        return Case(path, answer), time.monotonic()

    with ThreadPoolExecutor(jobs) as pool:
        posted = list(pool.map(post, enumerate(files)))
    for number, (case, _) in enumerate(posted):
        if case.answer.analysis_id:
            case.state = client.wait(case.answer.analysis_id, seconds=120)
            timings = case.state.get("timings_ms") or {}
            case.ended_s = sum(ms for stage, ms in timings.items() if stage != "waiting") / 1000
        if number % 500 == 499:
            print(f"  {number + 1} of {len(posted)} have ended", flush=True)
    return [case for case, _ in posted]


def manifest_ok(folder: Path) -> set[Path]:
    """The files that a careful decoder reads, by the folder's manifest (of it or of its parent)."""
    path = folder / "MANIFEST.csv"
    if not path.exists():
        return set()
    with path.open(newline="") as rows:
        return {folder / row["path"] for row in csv.DictReader(rows) if row["a_careful_decoder"].startswith("OK")}


def died(running: Portal) -> list[str]:
    """Signs of a death in the logs and in the list of processes."""
    signs = [f"{name} ended" for name, process in running.processes.items() if process.poll() is not None]
    for name, words in {
        "worker": ("WorkerLostError", "decode_server_restarted", "exited prematurely", "MemoryError"),
        "web": ("WORKER TIMEOUT", "Traceback", "server_error"),
        "sweeper": ("Traceback",),
    }.items():
        text = running.log(name)
        signs += [f"{name} log: {word} x {text.count(word)}" for word in words if word in text]
    return signs


def answer_all(files: list[Path], jobs: int) -> tuple[list[Case], list[str]]:
    """Post the files to a fresh portal; returns their answers and the signs of a death."""
    with portal() as running:
        running.passwords()
        client = Client(running.url, running.token())
        print(f"posting {len(files)} files", flush=True)
        cases = post_all(client, files, jobs)
        return cases, died(running)


def report_children(children: list[Child]) -> tuple[dict[str, Any], bool]:
    """Say what decoding cost and what went unsaid; returns figures and whether all is well."""
    dear = [child for child in children if not child.is_cheap]
    unsaid = {child.path: missed for child in children if (missed := silent(child))}
    died = [child for child in children if child.code == "died"]
    largest, longest = max(children, key=lambda one: one.peak_mb), max(children, key=lambda one: one.cpu_s)
    print(f"largest child    {largest.peak_mb:.0f} MB  {largest.path.name}  {largest.code}")
    print(f"longest child    {longest.cpu_s:.2f} s of processor time  {longest.path.name}  {longest.code}")
    print(f"children above {MOST_MB:.0f} MB or {MOST_S:.0f} s: {len(dear)}")
    print(f"children without an answer: {len(died)}")
    print(f"files with an element that is neither read nor remarked on (silent): {len(unsaid)}")
    for path, missed in list(unsaid.items())[:20]:
        print(f"   {path}  {'; '.join(missed)}")
    for child in [*dear, *died][:20]:
        print(f"   {child.path}  {child.code}  {child.peak_mb:.0f} MB  {child.cpu_s:.2f} s")
    figures = {
        "children": len(children),
        "largest_child_mb": round(largest.peak_mb),
        "longest_child_cpu_s": round(longest.cpu_s, 2),
        "children_above_limits": len(dear),
        "children_without_answer": len(died),
        "silent": len(unsaid),
    }
    return figures, not (dear or unsaid or died)


def report(cases: list[Case], readable: set[Path], signs: list[str]) -> tuple[dict[str, Any], bool]:
    """Count, compare and judge; returns what is printed as JSON and whether all is well."""
    internal = [case for case in cases if "internal_error" in case.verdict]
    unsound = [case for case in cases if not case.is_sound]
    refused = [c for c in cases if c.path in readable and c.refusal and c.refusal not in POLICY]
    for verdict, count in Counter(case.verdict for case in cases).most_common():
        print(f"{count:6d}  {verdict}")
    slowest_post = max(cases, key=lambda case: case.answer.posted_s)
    slowest_run = max(cases, key=lambda case: case.ended_s)
    print(f"slowest upload   {slowest_post.answer.posted_s:.2f} s  {slowest_post.path.name}")
    print(f"slowest analysis {slowest_run.ended_s:.2f} s  {slowest_run.path.name}  {slowest_run.verdict}")
    print(f"internal_error: {len(internal)}")
    print(f"died: {'; '.join(signs) or 'nothing'}")
    print(f"5xx, no answer or no end state: {len(unsound)}")
    for case in unsound[:20]:
        print(f"   {case.path}  {case.verdict}")
    print(f"readable by the manifest ({len(readable)}) but refused without a stated policy: {len(refused)}")
    for case in refused[:40]:
        print(f"   {case.path}  {case.verdict}")
    figures = {
        "files": len(cases),
        "answers": dict(Counter(case.verdict for case in cases).most_common()),
        "slowest_upload_s": round(slowest_post.answer.posted_s, 2),
        "slowest_analysis_s": round(slowest_run.ended_s, 2),
        "internal_error": len(internal),
        "died": signs,
        "unsound": len(unsound),
        "refused_against_manifest": len(refused),
    }
    return figures, not (unsound or refused or signs or internal)


def main() -> int:
    """Run against a fresh portal; exit status 0 when all is well."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--jobs", type=int, default=3, help="uploads at the same time")
    parser.add_argument("--sample", type=int, default=0, help="only every n-th file")
    parser.add_argument("--children-only", action="store_true", help="decode and measure, post nothing")
    parser.add_argument("--json", type=Path, help="write the figures here too")
    options = parser.parse_args()
    files = sorted(path for path in options.folder.rglob("*") if path.is_file() and path.name != "MANIFEST.csv")
    if options.sample:
        files = files[:: options.sample]
    if not files:
        parser.error(f"{options.folder} holds no file")
    figures, well = report_children(measure_all(files))
    if not options.children_only:
        cases, signs = answer_all(files, options.jobs)
        answers, well_answered = report(cases, manifest_ok(options.folder) & set(files), signs)
        figures, well = figures | answers, well and well_answered
    if options.json:
        options.json.write_text(json.dumps(figures, indent=1))
    return 0 if well else 1


if __name__ == "__main__":
    sys.exit(main())
