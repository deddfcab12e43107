"""One decode child per file, as the decode server forks it: what it answers, the memory it took at most, its time."""

import gc
import mmap
import os
import socket
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from inference.errors import DecodeError
from inference.imaging.limits import Limits
from inference.imaging.wire import ProtocolError, read_reply, request_head

# A child's whole memory, with what it shares with the server, and its time.
MOST_MB, MOST_S = 512.0, 8.0


@dataclass(frozen=True)
class Child:
    """What one file cost: `code` is OK or a refusal, `died` where the child ended without an answer.

    `peak_mb` is the largest resident size in millions of bytes, `cpu_s` user and system time, `wall_s` the clock's.
    """

    path: Path
    code: str
    peak_mb: float
    cpu_s: float
    wall_s: float
    remarks: tuple[str, ...] = field(default=())

    @property
    def is_cheap(self) -> bool:
        """Whether it kept within memory and time; the clock counts only where nobody else used the processor."""
        return self.peak_mb <= MOST_MB and self.cpu_s <= MOST_S


def measure_all(paths: list[Path]) -> list[Child]:
    """Decode each file in a child of its own, one after the other."""
    from inference.imaging.server import load_decoders

    load_decoders()
    gc.freeze()
    limits = Limits.from_env()
    return [_measure(path, limits) for path in paths]


def _measure(path: Path, limits: Limits) -> Child:
    from inference.imaging.sandbox import run_child

    data = path.read_bytes()
    ours, theirs = socket.socketpair()
    began = time.monotonic()
    pid = os.fork()
    if pid == 0:
        ours.close()
        run_child(theirs, limits, mmap.mmap(-1, 1))
    theirs.close()
    sender = threading.Thread(target=_send, args=(ours, data))
    sender.start()
    code, remarks = _answer(_receiver(ours))
    sender.join()
    ours.close()
    _, _, used = os.wait4(pid, 0)
    took = time.monotonic() - began
    return Child(path, code, used.ru_maxrss * 1024 / 1e6, used.ru_utime + used.ru_stime, took, remarks)


def _send(link: socket.socket, data: bytes) -> None:
    try:
        link.sendall(request_head(len(data)))
        link.sendall(data)
    except OSError:
        pass  # refused before all of it was read


def _receiver(link: socket.socket) -> Callable[[int], bytes]:
    def receive(length: int) -> bytes:
        buffer = bytearray()
        while len(buffer) < length:
            part = link.recv(min(length - len(buffer), 1 << 20))
            if not part:
                raise EOFError
            buffer += part
        return bytes(buffer)

    return receive


def _answer(receive: Callable[[int], bytes]) -> tuple[str, tuple[str, ...]]:
    """Return (code, remarks); a child that its limit for processor time ends has no words of its own."""
    try:
        return "OK", tuple(read_reply(receive).meta["warnings"])
    except DecodeError as error:
        return error.code, ()
    except (EOFError, OSError, ProtocolError):
        return "died", ()
