"""A process that is told to stop hears it at whatever moment the signal comes."""

from __future__ import annotations

import subprocess
import sys

AT_ANY_MOMENT = """
import os, random, signal, threading, time
from annotator.stop_signals import on_stop_signal

told = threading.Event()
on_stop_signal(lambda: told.set())
reading, writing = os.pipe()
listener = os.getpid()
sender = os.fork()
if not sender:
    os.close(writing)
    while os.read(reading, 1) == b"g":
        end = time.perf_counter() + random.uniform(0, 80e-6)
        while time.perf_counter() < end:
            pass
        os.kill(listener, random.choice([signal.SIGTERM, signal.SIGINT]))
    os._exit(0)
for _ in range({times}):
    told = threading.Event()
    os.write(writing, b"g")
    told.wait()
os.write(writing, b"e")
os.waitpid(sender, 0)
print("heard", flush=True)
"""


def test_every_stop_signal_is_heard_whenever_it_comes() -> None:
    code = AT_ANY_MOMENT.format(times=10_000)
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=170, check=False)
    assert (done.returncode, done.stdout.split()) == (0, ["heard"]), done.stderr


def test_other_signals_with_a_handler_of_their_own_stop_nothing() -> None:
    code = (
        "import os, signal, threading\n"
        "from annotator.stop_signals import on_stop_signal\n"
        "told, other = threading.Event(), threading.Event()\n"
        "signal.signal(signal.SIGUSR1, lambda *_: other.set())\n"
        "on_stop_signal(told.set)\n"
        "os.kill(os.getpid(), signal.SIGUSR1)\n"
        "assert other.wait(20) and not told.wait(0.5)\n"
        "os.kill(os.getpid(), signal.SIGTERM)\n"
        "assert told.wait(20)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
