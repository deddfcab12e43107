"""Nobody measures on after the measurement was ended."""

import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

MEASURES = """
import os, time
from inference.lab.evaluation.workers import worker_pool

def work(_):
    os.write(1, f"{os.getpid()}\\n".encode())
    time.sleep(120)

with worker_pool(2) as pool:
    list(pool.map(work, range(2)))
"""


def _lives(pid):
    """Whether a process runs: an ended one that nobody has collected yet does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except FileNotFoundError:
        return False


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells a child of its parent's end")
@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGKILL])
def test_workers_end_with_the_process_that_measures(how):
    root = Path(__file__).parents[2]
    measuring = subprocess.Popen([sys.executable, "-c", MEASURES], stdout=subprocess.PIPE, text=True, cwd=root)
    pids = [int(measuring.stdout.readline()) for _ in range(2)]
    assert all(_lives(pid) for pid in pids)
    measuring.send_signal(how)
    measuring.wait(30)
    measuring.stdout.close()
    deadline = time.monotonic() + 20
    while any(_lives(pid) for pid in pids) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not any(_lives(pid) for pid in pids)
