"""What uploads say of patient and examination, read in the sandbox before anything is stored of them.

The web process has a decode server of its own for that: bytes of strangers are never parsed in the process that serves
pages. Where it is away, nothing is known of a file, and nothing is joined by what is not known.
"""

import os
import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import structlog
from django.conf import settings
from django.core.files.base import File

from inference.errors import InferenceError
from inference.imaging.client import DecodeClient, SupervisedServer
from inference.imaging.dicom.meta import looks_like_dicom

log = structlog.get_logger(__name__)
# Nearly every file names patient and study within its first kilobytes; private elements may come before.
HEAD_BYTES = 256 * 1024
_SNIFF_BYTES = 256
_TIMEOUT_S, _CONNECT_S = 5.0, 5.0
_starting = threading.Lock()
_process: dict[str, Any] = {}


@dataclass(frozen=True)
class FileHeader:
    """What one file says of itself.

    Attributes:
        identity: DICOM keywords in snake_case to texts; only what the file states.
        is_dicom: whether it may state anything at all.
        is_known: False where the file could not be asked: it may name anybody.
    """

    identity: Mapping[str, str] = field(default_factory=dict)
    is_dicom: bool = False
    is_known: bool = True


def use_decoder(client: Any) -> None:
    """Ask this decoder from now on."""
    _process["client"], _process["pid"] = client, os.getpid()


def start() -> None:
    """Begin to start this process's decode server, so that the first upload need not wait for it."""
    _client()


def header_of(upload: File) -> FileHeader:
    """What an upload says of itself. Its beginning is asked first, and all of it only where that is not enough."""
    upload.seek(0)
    head = upload.read(HEAD_BYTES)
    upload.seek(0)
    # A picture says nothing: it is not sent to be told so.
    if head[128:132] != b"DICM" and not looks_like_dicom(head[:_SNIFF_BYTES]):
        return FileHeader()
    found = _ask(head)
    if found is not None and not found.get("complete") and (upload.size or 0) > HEAD_BYTES:
        found = _ask(upload.read())
        upload.seek(0)
    if found is None:
        return FileHeader(is_dicom=True, is_known=False)
    # A file that cannot be read names nobody: the worker refuses it, with the reason.
    identity = {name: value for name, value in found.get("identity", {}).items() if value}
    return FileHeader(identity, is_dicom=True)


def _ask(data: bytes) -> dict[str, Any] | None:
    """The decoder's answer, empty where it cannot read the data; None where nobody answers."""
    try:
        return dict(_client().header(data))
    except InferenceError as error:
        log.info("header_unread", code=error.code)
        return None if error.retriable else {}


def _client() -> Any:
    """This process's way to its decode server, which is started where it is missing; a fork starts its own."""
    with _starting:
        if _process.get("pid") != os.getpid():
            path = f"{settings.DECODE_SOCKET}-{os.getpid()}"
            _process["server"] = SupervisedServer(path)
            use_decoder(DecodeClient(path, timeout_s=_TIMEOUT_S, connect_s=_CONNECT_S))
        return _process["client"]
