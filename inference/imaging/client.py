"""Asks the decode server for one image, so that the caller never reads an upload's bytes itself."""

from __future__ import annotations

import contextlib
import socket
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import numpy as np

from inference.imaging.canonical import canonical_sha256
from inference.imaging.limits import Limits, refusal
from inference.imaging.supervisor import SupervisedServer
from inference.imaging.wire import ProtocolError, address, read_header_reply, read_reply, request_head

__all__ = ["DecodeClient", "DecodedRemote", "SupervisedServer"]

KEEP_ALIVE_S = 2.0
_RETRY_S = 0.05
_CHUNK_BYTES = 1024 * 1024
R = TypeVar("R")


@dataclass(frozen=True)
class DecodedRemote:
    """A canonical image: uint8 (H, W), the PNG to be stored, its hash, and what the file says about itself.

    `values` is the viewer's packed array; `meta["display"]` describes it.
    """

    grey: np.ndarray
    png: bytes
    canonical_sha256: str
    meta: dict[str, Any]
    values: bytes = b""


class DecodeClient:
    """One connection per image; holds no state, so it may be shared between threads and survive forks."""

    def __init__(self, socket_path: Path | str, timeout_s: float = 30, connect_s: float = 5) -> None:
        self._path = Path(socket_path)
        self._timeout_s = timeout_s
        self._connect_s = connect_s

    def decode(self, data: bytes, *, keep_alive: Callable[[], None] | None = None) -> DecodedRemote:
        """Return the canonical image of one upload.

        Raises DecodeError: of the file with retriable False; `decoder_unavailable` and a killed child's `decoder_died`
        with retriable True. `keep_alive` runs about every 2 s while waiting; what it raises goes through. A server
        that is being started (again) is waited for `connect_s` long.
        """
        if not data:
            raise refusal("empty_file")
        if len(data) > Limits.from_env().max_input_bytes:
            raise refusal("too_large")
        reply = self._ask(data, read_reply, keep_alive=keep_alive)
        return DecodedRemote(reply.grey, reply.png, canonical_sha256(reply.grey), reply.meta, reply.values)

    def header(self, data: bytes) -> dict[str, Any]:
        """Return what an upload, or its beginning, says of itself: ``{kind, identity, warnings, complete}``.

        Raises DecodeError as `decode`, but for the codes that only pixels can cause.
        """
        return self._ask(data, read_header_reply, header_only=True)

    def _ask(
        self,
        data: bytes,
        read: Callable[[Callable[[int], bytes]], R],
        *,
        header_only: bool = False,
        keep_alive: Callable[[], None] | None = None,
    ) -> R:
        wait = _Wait(self._timeout_s, keep_alive)
        with contextlib.closing(wait):
            try:
                wait.connect(self._path, self._connect_s)
                wait.send(request_head(len(data), header_only=header_only), data)
                return read(wait.receive)
            except (OSError, ProtocolError) as exc:
                if exc is wait.caller_error:
                    raise
                raise refusal("decoder_unavailable") from None


class _Wait:
    """A socket that gives up at one deadline for the whole exchange and calls `keep_alive` while it waits."""

    def __init__(self, timeout_s: float, keep_alive: Callable[[], None] | None) -> None:
        self._link = _new_link()
        self._keep_alive = keep_alive
        self.caller_error: Exception | None = None
        now = time.monotonic()
        self._deadline, self._due = now + timeout_s, now + KEEP_ALIVE_S

    def close(self) -> None:
        """Close the connection."""
        self._link.close()

    def connect(self, path: Path, patience_s: float) -> None:
        """Connect; a server that is absent for the moment is tried again until `patience_s` is over."""
        give_up = min(self._deadline, time.monotonic() + patience_s)
        while True:
            try:
                self._link.settimeout(max(_RETRY_S, give_up - time.monotonic()))
                with address(path) as target:
                    self._link.connect(target)
                return
            except (ConnectionRefusedError, FileNotFoundError):
                if time.monotonic() >= give_up:
                    raise
            self._due = min(self._due, time.monotonic() + 2 * _RETRY_S)  # a restart may take long: say so early
            self._tick()
            self._link.close()
            time.sleep(_RETRY_S)
            self._link = _new_link()

    def send(self, *parts: bytes) -> None:
        """Send the whole request. The server may refuse before it has read all: then its answer is what counts."""
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):
            for view in [memoryview(part) for part in parts]:
                while view:
                    self._tick()
                    with contextlib.suppress(TimeoutError):
                        view = view[self._link.send(view[:_CHUNK_BYTES]) :]

    def receive(self, length: int) -> bytes:
        """Return exactly `length` bytes; raises OSError at the deadline or when the server is gone."""
        buffer = bytearray(length)
        view, filled = memoryview(buffer), 0
        while filled < length:
            self._tick()
            with contextlib.suppress(TimeoutError):
                got = self._link.recv_into(view[filled:])
                if not got:
                    raise ConnectionResetError
                filled += got
        return bytes(buffer)

    def _tick(self) -> None:
        """Give up at the deadline, renew the lease when due, and let the next operation wait until either."""
        now = time.monotonic()
        if now >= self._deadline:
            raise BlockingIOError  # not TimeoutError, which only ends one wait
        if self._keep_alive is not None and now >= self._due:
            try:
                self._keep_alive()
            except Exception as exc:
                self.caller_error = exc
                raise
            now = time.monotonic()
            self._due = now + KEEP_ALIVE_S
        self._link.settimeout(max(0.01, min(self._deadline, self._due) - now))


def _new_link() -> socket.socket:
    return socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
