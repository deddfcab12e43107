"""Celery's filesystem transport, made to survive half-written, empty and foreign files in its folder.

Kombu's own writes a message in place, so a reader may see half of it, and an unreadable file ends the worker. Here a
message appears whole or not at all, and what cannot be read is thrown away: the sweeper wakes the row again.
"""

import contextlib
import json
import time
import uuid
from pathlib import Path
from queue import Empty
from typing import Any, ClassVar

import structlog
from kombu import transport
from kombu.transport import filesystem

log = structlog.get_logger(__name__)


def _is_message(payload: Any) -> bool:
    """Whether Kombu's virtual channel can make a message of this; the rest is for Celery to judge."""
    if not isinstance(payload, dict) or not isinstance(payload.get("properties"), dict):
        return False
    return payload.keys() >= {"body", "headers"} and payload["properties"].keys() >= {"delivery_tag", "delivery_info"}


class Channel(filesystem.Channel):
    """One folder of messages; queue bindings are declared by every process for itself and kept in memory."""

    bindings: ClassVar[dict[str, list[Any]]] = {}

    def get_table(self, exchange: str) -> list[Any]:
        return self.bindings.get(exchange, [])

    def _queue_bind(self, exchange: str, routing_key: str, pattern: str, queue: str) -> None:
        entry = filesystem.exchange_queue_t(routing_key or "", pattern or "", queue or "")
        table = self.bindings.setdefault(exchange, [])
        if entry not in table:
            table.append(entry)

    def _put(self, queue: str, payload: dict[str, Any], **_kwargs: Any) -> None:  # type: ignore[override]
        folder = Path(self.data_folder_out)
        name = f"{time.time_ns():020d}_{uuid.uuid4().hex}"
        hidden = folder / f".{name}.part"
        try:
            hidden.write_text(json.dumps(payload))
            hidden.replace(folder / f"{name}.{queue}.msg")
        except OSError:
            hidden.unlink(missing_ok=True)
            raise

    def _get(self, queue: str) -> dict[str, Any]:  # type: ignore[override]
        for path in sorted(Path(self.data_folder_in).iterdir()):
            if path.name.startswith(".") or not path.name.endswith(f".{queue}.msg"):
                continue
            payload = self._take(path)
            if payload is not None:
                return payload
        raise Empty

    def _take(self, path: Path) -> dict[str, Any] | None:
        """The message, now this worker's alone; None when another one was faster or the file holds no message."""
        mine = path.with_name(f".{uuid.uuid4().hex}.taken")
        try:
            path.rename(mine)
        except OSError:
            return None
        try:
            payload = json.loads(mine.read_bytes())
        except (OSError, ValueError):
            payload = None
        finally:
            with contextlib.suppress(OSError):
                mine.unlink()
        if _is_message(payload):
            return payload
        log.warning("message_unreadable")
        return None

    def _purge(self, queue: str) -> int:
        gone = [path for path in Path(self.data_folder_in).glob(f"*.{queue}.msg") if self._take(path) is not None]
        return len(gone)

    def _size(self, queue: str) -> int:
        return sum(1 for _ in Path(self.data_folder_in).glob(f"*.{queue}.msg"))


class Transport(filesystem.Transport):
    """The transport that ``filesystem://`` stands for in this project."""

    Channel = Channel


def install() -> None:
    """Make ``filesystem://`` mean this transport."""
    transport.TRANSPORT_ALIASES["filesystem"] = f"{__name__}:Transport"
