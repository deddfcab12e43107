"""Reads multipart bodies whose heads are not UTF-8, which Django would take for parts without a name and pass by."""

from typing import Any

from django.core.files.uploadedfile import UploadedFile
from django.core.files.uploadhandler import FileUploadHandler
from django.http.multipartparser import MultiPartParser

READ_BYTES = 64 * 1024
# Longer than the head of any part that a client sends; what is longer is passed on as it is.
_MOST_HEAD_BYTES = 8 * 1024
_LINE, _HEAD_END = b"\r\n", b"\r\n\r\n"


class HeadsInUtf8(FileUploadHandler):
    """Hands the other upload handlers a body whose heads are UTF-8, which most clients send (RFC 7578, 5.1).

    A file name in another charset says nothing that the portal keeps: its letters are replaced, and the file is read.
    Of values nothing is changed: a field that is not UTF-8 is refused where its rule is.
    """

    def handle_raw_input(
        self,
        input_data: Any,
        META: Any,
        content_length: int,  # noqa: ARG002 (the base class's names)
        boundary: Any,
        encoding: str | None = None,
    ) -> Any:
        assert self.request is not None
        others = [handler for handler in self.request.upload_handlers if handler is not self]
        stream: Any = ReadableHeads(input_data, boundary)
        return MultiPartParser(META, stream, others, encoding).parse()

    def receive_data_chunk(self, raw_data: bytes, start: int) -> bytes:  # noqa: ARG002
        return raw_data

    def file_complete(self, file_size: int) -> UploadedFile | None:  # noqa: ARG002
        return None


class ReadableHeads:
    """A multipart stream in which each byte of a head that is no part of UTF-8 is an underscore.

    Lengths stay as they are. Heads begin after a line that is the boundary; nothing else is looked into.
    """

    def __init__(self, stream: Any, boundary: bytes) -> None:
        self._stream = stream
        self._mark = b"--" + boundary + _LINE
        self._pending = b""
        self._ready = b""
        self._in_head = False
        self._ended = False

    def read(self, size: int = READ_BYTES) -> bytes:
        """At most ``size`` bytes; empty at the end."""
        while not self._ready and not (self._ended and not self._pending):
            self._fill()
        taken, self._ready = self._ready[:size], self._ready[size:]
        return taken

    def _fill(self) -> None:
        """Read on, and make ready what is decided: all but what may be the beginning of a boundary or of a head."""
        data = b"" if self._ended else self._stream.read(READ_BYTES)
        self._ended = self._ended or not data
        rest, done = self._pending + data, []
        while True:
            at = rest.find(_HEAD_END if self._in_head else self._mark)
            if at < 0:
                break
            end = at + len(_HEAD_END if self._in_head else self._mark)
            done.append(_readable(rest[:end]) if self._in_head else rest[:end])
            rest, self._in_head = rest[end:], not self._in_head
        keep = _MOST_HEAD_BYTES if self._in_head else len(self._mark) - 1
        if self._ended or (self._in_head and len(rest) > keep):
            keep, self._in_head = 0, False
        cut = max(0, len(rest) - keep)
        done.append(rest[:cut])
        self._pending, self._ready = rest[cut:], self._ready + b"".join(done)


def _readable(head: bytes) -> bytes:
    lines = head.split(_LINE)
    return _LINE.join(line if _is_utf8(line) else bytes(b if b < 0x80 else 0x5F for b in line) for line in lines)


def _is_utf8(line: bytes) -> bool:
    try:
        line.decode()
    except UnicodeDecodeError:
        return False
    return True
