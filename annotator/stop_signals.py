"""SIGINT and SIGTERM, heard whatever the main thread is doing.

A handler written in Python runs in the main thread between two of its instructions. Where that thread has just gone to wait on a
lock the handler does not run until something else wakes it, and an `Event` that is set from a handler is locked already if the
signal came in the middle of its `wait`: either way a process that was told to stop goes on for ever. The byte that the interpreter
writes to its wakeup descriptor, from the signal itself, depends on no thread.
"""

from __future__ import annotations

import os
import signal
import socket
import threading
from collections.abc import Callable

STOPS = frozenset({signal.SIGINT, signal.SIGTERM})


def on_stop_signal(act: Callable[[], None]) -> None:
    """Call `act` in a thread of its own at each SIGINT and SIGTERM. Once in a process, from its main thread.

    A child made by `fork` is none of this: these signals end it as they would any process.
    """
    reading, writing = socket.socketpair()
    writing.setblocking(False)

    def listen() -> None:
        with reading, writing:
            while heard := reading.recv(1):
                if heard[0] in STOPS:
                    act()

    signal.set_wakeup_fd(writing.fileno(), warn_on_full_buffer=False)
    for number in STOPS:
        signal.signal(number, _heard_elsewhere)
    os.register_at_fork(after_in_child=_hear_for_oneself)
    threading.Thread(target=listen, name="stop signals", daemon=True).start()


def _hear_for_oneself() -> None:
    """In a forked child, whose wakeup descriptor is the parent's: what it is told would reach the parent, and not the child."""
    signal.set_wakeup_fd(-1)
    for number in STOPS:
        signal.signal(number, signal.SIG_DFL)


def _heard_elsewhere(_number: int, _frame: object) -> None:
    """In place of the default, which would end the process at once."""
