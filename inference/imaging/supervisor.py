"""Keeps a decode server running for a worker: starts it, restarts it when it dies, and ends it with the worker."""

from __future__ import annotations

import atexit
import contextlib
import os
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path

from inference.imaging.limits import refusal
from inference.imaging.wire import address

_ROOT = Path(__file__).resolve().parents[2]
_FIRST_PAUSE_S, _LONGEST_PAUSE_S, _STEADY_S = 0.1, 5.0, 30.0


class SupervisedServer:
    """A running decode server. Only the process that started it may stop it; forked children hold a harmless copy."""

    def __init__(self, socket_path: Path | str) -> None:
        """Start the server and watch over it from now on; `wait_ready` waits until it answers."""
        self.socket_path = Path(socket_path)
        self._owner = os.getpid()
        self._stopped = threading.Event()
        self._process = self._spawn()
        self._thread = threading.Thread(target=self._watch, name="decode-server", daemon=True)
        self._thread.start()
        atexit.register(self.stop)

    @property
    def pid(self) -> int:
        """The process id of the server that runs now; it changes when one had to be restarted."""
        return self._process.pid

    def wait_ready(self, ready_s: float = 30) -> SupervisedServer:
        """Return when the server answers; after `ready_s` stop it and raise DecodeError decoder_unavailable."""
        deadline = time.monotonic() + ready_s
        while not self.answers():
            if time.monotonic() > deadline:
                self.stop()
                raise refusal("decoder_unavailable")
            time.sleep(0.02)
        return self

    def answers(self) -> bool:
        """Whether something accepts connections at the socket."""
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
            probe.settimeout(1)
            with contextlib.suppress(OSError), address(self.socket_path) as target:
                probe.connect(target)
                return True
        return False

    def stop(self) -> None:
        """End the server and its children; does nothing when called twice or in a forked child."""
        if self._stopped.is_set() or os.getpid() != self._owner:
            return
        self._stopped.set()
        atexit.unregister(self.stop)
        self._process.terminate()
        self._thread.join(timeout=5)
        if self._process.poll() is None:
            self._process.kill()
            self._process.wait()

    def _spawn(self) -> subprocess.Popen[bytes]:
        environ = {**os.environ, "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
        module = ("-m", "inference.imaging.server")
        command = [sys.executable, *module, str(self.socket_path), "--parent", str(os.getpid())]
        return subprocess.Popen(command, cwd=_ROOT, env=environ, stdin=subprocess.DEVNULL)

    def _watch(self) -> None:
        """Restart the server when it ends, with a growing pause while it keeps ending at once."""
        pause, started = _FIRST_PAUSE_S, time.monotonic()
        while True:
            self._process.wait()
            if time.monotonic() - started > _STEADY_S:
                pause = _FIRST_PAUSE_S
            if self._stopped.wait(pause):
                return
            pause, started = min(pause * 2, _LONGEST_PAUSE_S), time.monotonic()
            self._process = self._spawn()


def start_server(socket_path: Path | str, ready_s: float = 30) -> SupervisedServer:
    """Start a decode server at `socket_path` and return its handle once it answers."""
    return SupervisedServer(socket_path).wait_ready(ready_s)
