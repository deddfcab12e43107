"""The child's side of the decode server: put on the limits, read one upload, decode it, answer, end."""

from __future__ import annotations

import ctypes
import mmap
import os
import resource
import signal
import socket
from pathlib import Path
from typing import Any, NoReturn

from inference.errors import DecodeError
from inference.imaging.canonical import encode_png
from inference.imaging.decode import decode_bytes, header_of
from inference.imaging.display import LEFT_OUT, Values, pack_film
from inference.imaging.limits import Limits, refusal
from inference.imaging.wire import (
    EXIT_NO_REQUEST,
    REQUEST_HEAD_BYTES,
    ProtocolError,
    error_reply,
    header_reply,
    image_reply,
    read_request_head,
)

_PR_SET_PDEATHSIG, _PR_SET_NO_NEW_PRIVS = 1, 38
_OPEN_FILES = 32
_libc = ctypes.CDLL(None, use_errno=True)


def run_child(link: socket.socket, limits: Limits, answering: mmap.mmap) -> NoReturn:
    """Handle one connection and leave the process; never returns and never raises.

    `answering` is one shared byte, set before the answer begins, so that the parent does not speak into it.
    """
    status = 1
    try:
        _confine(link, limits)
        status = _serve(link, limits, answering)
    except (OSError, ProtocolError, EOFError):
        status = EXIT_NO_REQUEST
    finally:
        os._exit(status)


def _serve(link: socket.socket, limits: Limits, answering: mmap.mmap) -> int:
    """Return the exit status after one request and its answer."""
    link.settimeout(limits.receive_s)
    length, header_only = read_request_head(_receive(link, REQUEST_HEAD_BYTES))
    parts: tuple[bytes | memoryview, ...]
    try:
        if length > limits.max_input_bytes:
            raise refusal("too_large")
        data = _receive(link, length)
        parts = (header_reply(header_of(data)),) if header_only else _decoded(data, limits)
    except DecodeError as error:
        parts = (error_reply(error),)
    except MemoryError:
        parts = (error_reply(refusal("too_much_memory")),)
    except ValueError:
        parts = (error_reply(refusal("unreadable")),)
    answering[0] = 1
    link.settimeout(limits.wall_s)
    for part in parts:
        link.sendall(part)
    return 0


def _decoded(data: bytes, limits: Limits) -> tuple[bytes | memoryview, ...]:
    decoded = decode_bytes(data, limits)
    packed, facts = _packed(decoded.values)
    return image_reply(decoded.grey, encode_png(decoded.grey), {**decoded.meta, "display": facts}, packed)


def _packed(values: Values) -> tuple[bytes, dict[str, Any]]:
    """Return the viewer's copy and its facts; a film is judged even where that copy needs too much memory."""
    try:
        return pack_film(values)
    except MemoryError:
        return b"", dict(LEFT_OUT)


def _receive(link: socket.socket, length: int) -> bytes:
    """Return exactly `length` bytes. The buffer grows with what arrives, not with what was promised."""
    buffer = bytearray()
    while len(buffer) < length:
        chunk = link.recv(min(length - len(buffer), 1 << 20))
        if not chunk:
            raise EOFError
        buffer += chunk
    return bytes(buffer)


def _confine(link: socket.socket, limits: Limits) -> None:
    """Give up what a decoder does not need. Done before the first byte of the upload is read."""
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGCHLD, signal.SIGHUP):
        signal.signal(number, signal.SIG_DFL)
    _libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    _libc.prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
    null = os.open(os.devnull, os.O_RDWR)
    for fd in (0, 1, 2):  # codecs print what they dislike, and that may quote the file
        os.dup2(null, fd)
    keep = link.fileno()
    os.closerange(3, keep)
    os.closerange(keep + 1, 4096)
    resource.setrlimit(resource.RLIMIT_AS, (_mapped_bytes() + limits.memory_bytes,) * 2)
    resource.setrlimit(resource.RLIMIT_CPU, (limits.cpu_s, limits.cpu_s + 1))
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_NOFILE, (_OPEN_FILES + keep,) * 2)
    resource.setrlimit(resource.RLIMIT_NPROC, (0, 0))


def _mapped_bytes() -> int:
    """Return the address space that the forked server has mapped already: the limit counts on top of it."""
    pages = int(Path("/proc/self/statm").read_text().split()[0])
    return pages * resource.getpagesize()
