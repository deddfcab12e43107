"""What client and decode server say to each other over the socket: lengths first, every length capped by the reader."""

from __future__ import annotations

import contextlib
import json
import os
import struct
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from inference.errors import DecodeError
from inference.imaging.canonical import MAX_SIDE_PX
from inference.imaging.limits import DECODE_CODES, Limits, refusal

_REQUEST = struct.Struct(">4sQ")  # magic, bytes that follow
_REPLY = struct.Struct(">4sI")  # magic, bytes of the JSON head that follows
_ADDRESS_BYTES = 100  # sun_path holds 108 (unix(7))
_REQUEST_MAGIC, _HEADER_MAGIC, _REPLY_MAGIC = b"BSQ1", b"BSH1", b"BSR1"
REQUEST_HEAD_BYTES, REPLY_HEAD_BYTES = _REQUEST.size, _REPLY.size
EXIT_NO_REQUEST = 3  # status of a decode child that got no request it could answer
_MAX_HEAD_BYTES = 256 * 1024
_PNG_SLACK_BYTES = 64 * 1024

Receive = Callable[[int], bytes]


@dataclass(frozen=True)
class Reply:
    """What a decode child sends back: the canonical image as pixels (H, W) and as PNG, and what the file says.

    `values` is the viewer's packed array (`display.pack`), empty where the canonical image holds all.
    """

    grey: np.ndarray
    png: bytes
    meta: dict[str, Any]
    values: bytes = b""


class ProtocolError(Exception):
    """The other side does not speak this protocol; nothing it sent is used."""


@contextlib.contextmanager
def address(path: Path) -> Iterator[str]:
    """Yield what to bind or connect to for the socket at `path`, however deep in the tree the project stands."""
    if len(os.fsencode(path)) <= _ADDRESS_BYTES:
        yield str(path)
        return
    folder = os.open(path.parent, os.O_PATH | os.O_DIRECTORY)
    try:
        yield f"/proc/self/fd/{folder}/{path.name}"
    finally:
        os.close(folder)


def request_head(length: int, *, header_only: bool = False) -> bytes:
    """Return what precedes `length` bytes of an upload, or of the beginning of one where only its header is asked."""
    return _REQUEST.pack(_HEADER_MAGIC if header_only else _REQUEST_MAGIC, length)


def read_request_head(head: bytes) -> tuple[int, bool]:
    """Return how many bytes follow, and whether only the header is asked for; raises ProtocolError."""
    magic, length = _REQUEST.unpack(head)
    if magic not in (_REQUEST_MAGIC, _HEADER_MAGIC):
        raise ProtocolError("no decode request")
    return int(length), magic == _HEADER_MAGIC


def image_reply(
    grey: np.ndarray, png: bytes, meta: dict[str, Any], values: bytes = b""
) -> tuple[bytes, bytes, memoryview, bytes]:
    """Return the parts of a successful answer, to be sent one after the other."""
    lengths = {"png_bytes": len(png), "values_bytes": len(values)}
    head = {"ok": True, "height": grey.shape[0], "width": grey.shape[1], **lengths, "meta": meta}
    return _head(head), png, grey.data.cast("B"), values


def header_reply(header: dict[str, Any]) -> bytes:
    """Return what a file says of itself as it travels, without a picture."""
    return _head({"ok": True, "header": header})


def error_reply(error: DecodeError) -> bytes:
    """Return a refusal as it travels: only its code and whether to retry; the sentence is looked up on arrival."""
    return _head({"ok": False, "code": error.code, "retriable": error.retriable})


def read_reply(receive: Receive) -> Reply:
    """Read one answer by `receive(n)`, which returns n bytes; raises DecodeError (the answer) or ProtocolError."""
    head = _read_head(receive)
    try:
        height, width, png_bytes, meta = int(head["height"]), int(head["width"]), int(head["png_bytes"]), head["meta"]
        values_bytes = int(head["values_bytes"])
    except (ValueError, KeyError, TypeError):
        raise ProtocolError("a decode reply that cannot be read") from None
    if not (1 <= height <= MAX_SIDE_PX and 1 <= width <= MAX_SIDE_PX and isinstance(meta, dict)):
        raise ProtocolError("a decode reply of impossible size")
    if not 0 < png_bytes <= 2 * height * width + _PNG_SLACK_BYTES:
        raise ProtocolError("a decode reply of impossible size")
    if not 0 <= values_bytes <= 3 * Limits.from_env().max_pixels + _PNG_SLACK_BYTES:
        raise ProtocolError("a decode reply of impossible size")
    png = receive(png_bytes)
    grey = np.frombuffer(receive(height * width), np.uint8).reshape(height, width)
    if not png.startswith(b"\x89PNG\r\n\x1a\n"):
        raise ProtocolError("a decode reply without a picture")
    return Reply(grey, png, meta, receive(values_bytes) if values_bytes else b"")


def read_header_reply(receive: Receive) -> dict[str, Any]:
    """Read one answer about a header; raises DecodeError (the answer) or ProtocolError."""
    header = _read_head(receive).get("header")
    if not isinstance(header, dict) or not isinstance(header.get("identity"), dict):
        raise ProtocolError("a decode reply that cannot be read")
    return header


def _read_head(receive: Receive) -> dict[str, Any]:
    magic, length = _REPLY.unpack(receive(REPLY_HEAD_BYTES))
    if magic != _REPLY_MAGIC or length > _MAX_HEAD_BYTES:
        raise ProtocolError("no decode reply")
    try:
        head = json.loads(receive(length))
        if not isinstance(head, dict):
            raise TypeError
        if not head["ok"]:
            code = str(head["code"])
            raise refusal(code if code in DECODE_CODES else "unreadable", retriable=bool(head["retriable"]))
    except (ValueError, KeyError, TypeError, RecursionError):
        raise ProtocolError("a decode reply that cannot be read") from None
    return head


def _head(values: dict[str, Any]) -> bytes:
    body = json.dumps(values, allow_nan=False).encode()
    return _REPLY.pack(_REPLY_MAGIC, len(body)) + body
