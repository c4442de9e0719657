"""A running app for tests: real server, real gate, on a free port of the loopback address."""

from __future__ import annotations

import contextlib
import gc
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from annotator.server import App
from annotator.settings import Settings, checked


@contextlib.contextmanager
def running_app(data_dir: Path, **changes: Any) -> Iterator[App]:
    """The app on an empty project; without its worker unless asked for."""
    chosen: dict[str, Any] = {"data_dir": data_dir, "port": 0, "worker": False, "empty": True, **changes}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of gradio's own, at import and launch
        app = App(checked(Settings(**chosen)))
        servers: list[Any] = []
        try:
            app.start()
            servers.append(app.blocks.server)
            yield app
        finally:
            app.stop()
            for server in servers:  # `stop` gives it a few seconds; its sockets would be reported by a later test
                server.thread.join(60)
            gc.collect()
