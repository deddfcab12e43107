"""Runs a command and starts it again whenever a Python file of the project changes: ``scripts/reload.py COMMAND...``.

Django's runserver reloads itself; Celery and the sweeper do not, and Celery must keep the main thread for its signals.
"""

import signal
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PLACES = ("accounts", "analyses", "bonescan", "inference")
LOOK_EVERY_S = 1.0


def newest() -> tuple[float, int]:
    """When a file was last changed, and how many there are (one that is removed counts too)."""
    times = [path.stat().st_mtime for place in PLACES for path in (ROOT / place).rglob("*.py") if path.exists()]
    return max(times), len(times)


def stop(process: subprocess.Popen[bytes]) -> None:
    """Ask it to end; a worker finishes its film first, and its lease returns the film if it cannot."""
    process.terminate()
    try:
        process.wait(timeout=20)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def main(command: list[str]) -> int:
    """Until the signal to end: keep the command running on the newest files."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    while True:
        seen = newest()
        process = subprocess.Popen(command)
        try:
            while newest() == seen:
                time.sleep(LOOK_EVERY_S)
        except KeyboardInterrupt:
            return 0
        finally:
            stop(process)
        sys.stderr.write("A file changed: starting again\n")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
