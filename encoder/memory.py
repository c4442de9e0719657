"""Memory that is used again and again stays with the process, for programs that do nothing but predict."""

from __future__ import annotations

import ctypes

_TRIM_THRESHOLD, _MMAP_THRESHOLD = -1, -3  # mallopt(3)
KEPT_BYTES = 512 * 2**20
OWN_MAP_BYTES = 32 * 2**20  # the most that glibc takes


def keep_memory() -> bool:
    """Have glibc keep what tensors give back, instead of returning it to the system and getting fresh pages for each layer: a
    quarter to a third of the processor time of the bundled model. Returns whether it did; elsewhere there is no such call.
    """
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (AttributeError, OSError, TypeError):
        return False
    return bool(mallopt(_MMAP_THRESHOLD, OWN_MAP_BYTES)) and bool(mallopt(_TRIM_THRESHOLD, KEPT_BYTES))


def peak_memory() -> int:
    """The most memory that was in use so far, in bytes: of the GPU if there is one, else of the process."""
    import torch

    if torch.cuda.is_available():
        return int(torch.cuda.max_memory_allocated())
    import resource

    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
