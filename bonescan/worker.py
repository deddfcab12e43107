"""What a Celery worker does beside its tasks: keeps a decode server, shows that it lives, loads the model.

Imported by every process that imports the Celery application; the signals fire in workers only.
"""

import os
from typing import Any

import structlog
from celery.signals import worker_init, worker_process_init, worker_ready, worker_shutdown
from django.utils import timezone

log = structlog.get_logger(__name__)
HEARTBEAT_S = 15.0
_running: dict[str, Any] = {}


@worker_init.connect
def start_decode_server(**_: Any) -> None:
    """Start this worker's own decode server; a worker's children inherit the way to it."""
    from django.conf import settings

    from analyses.pipeline import running
    from inference.imaging.client import SupervisedServer

    # Of its own, so that several workers on one machine do not take each other's away.
    path = f"{settings.DECODE_SOCKET}-{os.getpid()}"
    _running["decoder"] = SupervisedServer(path)
    running.use_decoder(path)


@worker_shutdown.connect
def stop_decode_server(**_: Any) -> None:
    """End the decode server with the worker; it also ends by itself when the worker is killed."""
    server = _running.pop("decoder", None)
    if server is not None:
        server.stop()


@worker_ready.connect
def start_heartbeat(sender: Any, **_: Any) -> None:
    """Note at once and then regularly that this worker is alive."""
    started_at = timezone.now()

    def beat() -> None:
        from django.db import DatabaseError, connection

        from analyses.pipeline import sweeper

        try:
            sweeper.seen("worker", sender.hostname, started_at)
        except DatabaseError as error:
            log.warning("heartbeat_not_written", error=type(error).__name__)
        finally:
            # Children fork from here: they must not find an open connection.
            connection.close()

    beat()
    sender.timer.call_repeatedly(HEARTBEAT_S, beat)


@worker_process_init.connect
def load_model(**_: Any) -> None:
    """Load torch and the weights before the first film asks for them; a fault here becomes that film's answer."""
    from django.db import DatabaseError

    from analyses.pipeline import running
    from analyses.registry import services as registry
    from inference.errors import InferenceError

    try:
        for use in registry.active_uses():
            running.predictor(registry.active_model(use))
    except DatabaseError as error:
        # Which model is active stands there; the first film asks again.
        log.warning("model_not_loaded", code=type(error).__name__)
    except InferenceError as error:
        log.error("model_not_loaded", code=error.code)
