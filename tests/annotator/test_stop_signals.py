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


FORKED = """
import multiprocessing, os, signal, threading
from concurrent.futures import ThreadPoolExecutor
from annotator.stop_signals import on_stop_signal

told, forking = threading.Event(), multiprocessing.get_context("fork")


def up(writing):
    os.write(writing, b"u")
    signal.pause()


def ended_by_a_signal():
    reading, writing = os.pipe()
    child = forking.Process(target=up, args=(writing,))
    child.start()
    os.read(reading, 1)
    child.terminate()
    child.join(20)
    return child.exitcode


on_stop_signal(told.set)
found = [ended_by_a_signal(), ThreadPoolExecutor(1).submit(ended_by_a_signal).result()]
print(found == [-signal.SIGTERM] * 2, told.wait(0.5), flush=True)
os.kill(os.getpid(), signal.SIGTERM)
print(told.wait(20), flush=True)
os._exit(0)  # a child that did not hear is not waited for
"""


def test_a_forked_child_hears_for_itself_and_its_parent_does_not() -> None:
    done = subprocess.run([sys.executable, "-c", FORKED], capture_output=True, text=True, timeout=100, check=False)
    assert done.stdout.split() == ["True", "False", "True"], done.stderr
