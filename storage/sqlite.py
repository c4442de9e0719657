"""sqlite-utils without pandas, which it imports where it is there, to know its timestamps: two thirds of the time that a command
takes which only opens the store.
"""

from __future__ import annotations

import sys

if "pandas" in sys.modules:
    from sqlite_utils import Database, Migrations
else:
    sys.modules["pandas"] = None  # type: ignore[assignment]  # an import of it fails
    try:
        from sqlite_utils import Database, Migrations
    finally:
        del sys.modules["pandas"]

__all__ = ["Database", "Migrations"]
