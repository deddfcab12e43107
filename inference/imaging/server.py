"""The decode server: one small process that has the decoders loaded and forks a limited child for every image.

`python -m inference.imaging.server SOCKET` runs it; `start_server(SOCKET)` keeps it running while the caller lives.
"""

from __future__ import annotations

import argparse
import contextlib
import gc
import mmap
import os
import selectors
import signal
import socket
import sys
import time
from dataclasses import dataclass
from pathlib import Path

from inference.imaging.limits import Limits, refusal
from inference.imaging.supervisor import start_server
from inference.imaging.wire import EXIT_NO_REQUEST, address, error_reply

__all__ = ["Server", "main", "start_server"]

_BACKLOG = 128
_POLL_S = 1.0
_CRASHES = (signal.SIGSEGV, signal.SIGABRT, signal.SIGBUS, signal.SIGILL, signal.SIGFPE)


@dataclass
class _Child:
    link: socket.socket
    deadline: float
    answering: mmap.mmap
    overdue: bool = False


class Server:
    """Accepts connections on a unix socket that only its own user may open, and outlives whatever its children meet."""

    def __init__(self, socket_path: Path | str, limits: Limits, parent_pid: int | None = None) -> None:
        self._path = Path(socket_path)
        self._limits = limits
        self._parent_pid = parent_pid
        self._children: dict[int, _Child] = {}
        self._stopping = False

    def run(self) -> None:
        """Serve until SIGTERM, SIGINT, or the end of the parent; then end all children and remove the socket."""
        load_decoders()
        wake_read, wake_write = socket.socketpair()
        wake_read.setblocking(False)
        wake_write.setblocking(False)
        signal.set_wakeup_fd(wake_write.fileno())
        signal.signal(signal.SIGCHLD, lambda *_: None)
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._stop)
        listener = _listen(self._path)
        gc.freeze()  # children share these objects' pages instead of copying them
        try:
            with selectors.DefaultSelector() as selector:
                selector.register(wake_read, selectors.EVENT_READ)
                while not self._stopping and not self._orphaned():
                    self._step(selector, listener, wake_read)
        finally:
            self._end(listener)

    def _stop(self, *_: object) -> None:
        self._stopping = True

    def _orphaned(self) -> bool:
        return self._parent_pid is not None and os.getppid() != self._parent_pid

    def _step(self, selector: selectors.BaseSelector, listener: socket.socket, wake: socket.socket) -> None:
        """Wait for a connection, a child's end or a deadline, and deal with all that is due."""
        room = len(self._children) < self._limits.children
        if room and listener not in selector.get_map():
            selector.register(listener, selectors.EVENT_READ)
        elif not room and listener in selector.get_map():
            selector.unregister(listener)
        due = min((child.deadline for child in self._children.values()), default=float("inf"))
        events = selector.select(min(_POLL_S, max(0.0, due - time.monotonic())))
        with contextlib.suppress(BlockingIOError):
            wake.recv(4096)
        self._reap()
        self._kill_overdue()
        if any(key.fileobj is listener for key, _ in events):
            self._accept(listener)

    def _accept(self, listener: socket.socket) -> None:
        try:
            link, _ = listener.accept()
        except OSError:
            return  # the client left again
        answering = mmap.mmap(-1, 1)
        try:
            pid = os.fork()
        except OSError:
            _answer(link, "decoder_unavailable", retriable=True)
            return
        if pid == 0:
            signal.set_wakeup_fd(-1)
            from inference.imaging.sandbox import run_child

            run_child(link, self._limits, answering)
        self._children[pid] = _Child(link, time.monotonic() + self._limits.wall_s, answering)

    def _kill_overdue(self) -> None:
        now = time.monotonic()
        for pid, child in self._children.items():
            if now >= child.deadline:
                child.overdue, child.deadline = True, now + _POLL_S
                os.kill(pid, signal.SIGKILL)

    def _reap(self) -> None:
        """Collect ended children; speak for those that died without an answer."""
        for pid in list(self._children):
            done, status, used = os.wait4(pid, os.WNOHANG)
            if done:
                child = self._children.pop(pid)
                code = os.waitstatus_to_exitcode(status)
                if code < 0 and not child.answering[0]:
                    busy = child.overdue and used.ru_utime + used.ru_stime < self._limits.cpu_s / 2
                    _answer(child.link, *_cause(-code, overdue=child.overdue, busy=busy))
                elif code not in (0, EXIT_NO_REQUEST) and not child.answering[0]:
                    _answer(child.link, "decoder_died", retriable=False)
                child.link.close()
                child.answering.close()

    def _end(self, listener: socket.socket) -> None:
        listener.close()
        with contextlib.suppress(OSError):
            self._path.unlink()
        for pid, child in self._children.items():
            os.kill(pid, signal.SIGKILL)
            os.waitpid(pid, 0)
            child.link.close()


def _cause(number: int, *, overdue: bool, busy: bool) -> tuple[str, bool]:
    """Return (code, retriable) for a child that a signal ended.

    A crash comes from the image and would come again; a kill from outside (an operator, the kernel) need not, and
    neither need a deadline that passed although the child was hardly let run (`busy`).
    """
    if overdue or number == signal.SIGXCPU:
        return "too_slow", busy
    return "decoder_died", number not in _CRASHES


def _answer(link: socket.socket, code: str, retriable: bool) -> None:
    """Tell the client; one that does not listen is not waited for."""
    with contextlib.suppress(OSError):
        link.setblocking(False)
        link.send(error_reply(refusal(code, retriable=retriable)))


def _listen(path: Path) -> socket.socket:
    """Return the listening socket at `path`, mode 0600 from its first moment; a stale one is replaced in one step."""
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    fresh = path.with_name(f"{path.name}.{os.getpid()}")
    mask = os.umask(0o177)
    try:
        with address(fresh) as target:
            listener.bind(target)
    finally:
        os.umask(mask)
    listener.listen(_BACKLOG)
    listener.setblocking(False)
    fresh.replace(path)
    return listener


def load_decoders() -> None:
    """Import everything a child may need: what a child imports itself costs every image its time."""
    from PIL import Image

    from inference.imaging import sandbox  # noqa: F401

    Image.init()


def main(argv: list[str] | None = None) -> int:
    """Run the server; the exit status is 0 after an orderly stop."""
    parser = argparse.ArgumentParser(prog="python -m inference.imaging.server", description=__doc__)
    parser.add_argument("socket", type=Path, help="path of the unix socket to serve")
    parser.add_argument("--parent", type=int, help="stop when this process is no longer the parent")
    options = parser.parse_args(argv)
    Server(options.socket, Limits.from_env(), options.parent).run()
    return 0


if __name__ == "__main__":
    sys.exit(main())
