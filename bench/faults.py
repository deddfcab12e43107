"""Kills decode children, worker children, the worker, the broker (wiped) and the database during N analyses.

``python -m bench.faults --n 60`` prints what was lost, doubled or stuck and how long recovery took; it exits with 1
unless all three are 0. What an operator's supervisor would restart is restarted here after a second.
"""

import argparse
import contextlib
import json
import os
import random
import signal
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

from bench.client import END_STATES, Answer, Client
from bench.films import film_jpeg
from bench.harness import Portal, portal


def children(pid: int) -> list[int]:
    """Direct children of a process, from /proc."""
    with contextlib.suppress(FileNotFoundError):
        return [int(word) for word in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    return []


def command_line(pid: int) -> str:
    """The command line of a process, empty when it is gone."""
    with contextlib.suppress(FileNotFoundError, ProcessLookupError):
        return Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
    return ""


class Faults:
    """The faults, each a method that strikes once and puts back what a supervisor would put back."""

    def __init__(self, running: Portal) -> None:
        self.running = running

    def _worker_children(self, decoder: bool) -> list[int]:
        pids = children(self.running.processes["worker"].pid)
        return [pid for pid in pids if ("inference.imaging.server" in command_line(pid)) is decoder]

    @staticmethod
    def _kill(pid: int) -> bool:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
            return True
        return False

    def decode_child(self) -> bool:
        """Kill a child of the decode server while it decodes; wait a moment for one to appear."""
        deadline = time.monotonic() + 2
        while time.monotonic() < deadline:
            for server in self._worker_children(decoder=True):
                for child in children(server):
                    return self._kill(child)
            time.sleep(0.001)
        return False

    def decode_server(self) -> bool:
        return any([self._kill(pid) for pid in self._worker_children(decoder=True)])

    def worker_child(self) -> bool:
        return any([self._kill(pid) for pid in self._worker_children(decoder=False)])

    def worker(self) -> bool:
        process = self.running.processes["worker"]
        self._kill(process.pid)
        process.wait()
        time.sleep(1)
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        self.running.start("worker")
        return True

    def broker(self) -> bool:
        assert self.running.redis is not None
        self.running.redis.kill()
        time.sleep(1)
        self.running.redis.start()
        return True

    def database(self) -> bool:
        assert self.running.postgres is not None
        self.running.postgres.kill()
        time.sleep(1)
        self.running.postgres.start()
        return True

    def all(self) -> dict[str, Callable[[], bool]]:
        return {
            name: getattr(self, name)
            for name in ("decode_child", "worker_child", "worker", "broker", "database", "decode_server")
        }


def upload_all(client: Client, count: int, pause_s: float, answers: list[Answer]) -> None:
    """Post films of distinct patients, each until it is accepted."""
    for number in range(count):
        # Every other film is large, so that its decoding lasts long enough to be struck.
        film = film_jpeg(number, 3000, 2500) if number % 2 else film_jpeg(number)
        answers.append(client.post_until_accepted(film, patient_id=f"F-{number:04d}"))
        time.sleep(pause_s)


def strike(faults: Faults, seed: int, running_uploads: threading.Thread, least: int) -> Counter[str]:
    """Strike in a seeded order until the uploads are done and at least ``least`` faults have hit."""
    hits: Counter[str] = Counter()
    chooser, kinds = random.Random(seed), faults.all()
    order: list[str] = []
    while running_uploads.is_alive() or sum(hits.values()) < least:
        if not order:
            order = chooser.sample(list(kinds), len(kinds))
        name = order.pop()
        if kinds[name]():
            hits[name] += 1
        time.sleep(chooser.uniform(0.3, 1.5))
    return hits


def judge(client: Client, answers: list[Answer], running: Portal, began: float) -> dict[str, Any]:
    """Wait for end states and count what went wrong."""
    states = [client.wait(answer.analysis_id, seconds=240, pause=0.3) for answer in answers if answer.analysis_id]
    recovered_s = time.monotonic() - began
    rows = json.loads(running.manage("count_results", "--json"))
    ended = Counter(state.get("status", "unknown") for state in states)
    codes = Counter((state.get("error") or {}).get("code", "") for state in states if state.get("error"))
    return {
        "posted": len(answers),
        "not_accepted": sum(1 for answer in answers if not answer.analysis_id),
        "lost": len(answers) - len({answer.analysis_id for answer in answers if answer.analysis_id}),
        "doubled": rows["analyses"] - len(answers) + rows["double_results"],
        "stuck": sum(1 for state in states if state.get("status") not in END_STATES),
        "ended": dict(ended),
        "error_codes": dict(codes),
        "recovered_after_last_fault_s": round(recovered_s, 1),
    }


def measure(count: int, least: int, seed: int) -> dict[str, Any]:
    """Analyse ``count`` films while faults strike at least ``least`` times, on a fresh portal; return the figures."""
    with portal(LEASE_S="6", WAKE_AGAIN_S="3", SWEEP_INTERVAL_S="1", MAX_ATTEMPTS="12") as running:
        running.passwords()
        client = Client(running.url, running.token())
        answers: list[Answer] = []
        uploads = threading.Thread(target=upload_all, args=(client, count, 0.4, answers))
        uploads.start()
        hits = strike(Faults(running), seed, uploads, least)
        uploads.join()
        return {"faults": dict(hits), **judge(client, answers, running, time.monotonic())}


def main() -> int:
    """Print the figures; exit status 0 when nothing was lost, doubled, stuck or failed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--n", type=int, default=60)
    parser.add_argument("--faults", type=int, default=0, help="strike at least so often (default: N / 2)")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    figures = measure(options.n, options.faults or options.n // 2, options.seed)
    print(json.dumps(figures, indent=1))
    print(f"lost {figures['lost']}, doubled {figures['doubled']}, stuck {figures['stuck']}")
    if options.json:
        options.json.write_text(json.dumps(figures, indent=1))
    failed = figures["lost"] or figures["doubled"] or figures["stuck"] or figures["ended"].get("failed", 0)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
