"""`python -m encoder.commands.train` whose CPU processes may shard: accelerate offers FSDP on accelerators only, torch over gloo too."""

from __future__ import annotations

import sys
from typing import Any

from accelerate.state import PartialState
from accelerate.utils import DistributedType

from encoder.commands.train import main

_begin = PartialState.__init__


def _begin_as_accelerator(self: PartialState, *given: Any, **named: Any) -> None:
    _begin(self, *given, **named)
    if self.distributed_type is DistributedType.MULTI_CPU:
        self.distributed_type = DistributedType.MULTI_XPU  # of all: they share what they know


if __name__ == "__main__":
    PartialState.__init__ = _begin_as_accelerator  # type: ignore[method-assign]
    sys.exit(main())
