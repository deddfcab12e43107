"""Processes that share the films of a measurement, and end with the process that measures."""

from __future__ import annotations

import ctypes
import os
import signal
from concurrent.futures import ProcessPoolExecutor  # noqa: TID251 (the laboratory has no worker around it)
from multiprocessing import get_context  # noqa: TID251 (as above)

_PR_SET_PDEATHSIG = 1


def worker_pool(count: int) -> ProcessPoolExecutor:
    """Return a pool of forked processes that are killed as soon as this process is gone, however it ended."""
    return ProcessPoolExecutor(
        count, mp_context=get_context("fork"), initializer=_end_with_parent, initargs=(os.getpid(),)
    )


def _end_with_parent(parent: int) -> None:
    """Ask Linux for the signal; elsewhere a worker ends with its share of the films."""
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    prctl = getattr(ctypes.CDLL(None), "prctl", None)
    if prctl is None:
        return
    prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    # The parent may have ended before the question was asked.
    if os.getppid() != parent:
        os._exit(1)
