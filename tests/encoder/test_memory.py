from __future__ import annotations

import platform
import subprocess
import sys


def test_memory_is_kept_where_glibc_is_and_nothing_happens_elsewhere() -> None:
    """In a process of its own: it holds for the rest of its life."""
    code = "from encoder.memory import keep_memory; print(keep_memory(), keep_memory())"
    told = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=120).stdout
    kept = platform.libc_ver()[0] == "glibc"
    assert told.split() == [str(kept)] * 2
