"""The running app: pages, routes and gate put together, started, and stopped.

Everything that can go wrong at the start (port taken, directory not writable, newer database, unsafe address) is an
EvidenceError with one clear line, raised before anybody is served.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import signal
import socket
import threading
from collections.abc import Callable
from types import FrameType
from typing import TYPE_CHECKING, Any

from starlette.middleware import Middleware
from starlette.requests import Request

from annotator.accounts import Accounts
from annotator.bootstrap import Project, open_project, serving_alone
from annotator.export_routes import export_routes
from annotator.gate import Gate, person_of
from annotator.model_routes import model_routes
from annotator.routes import session_routes
from annotator.serving import ModelService
from annotator.settings import Settings, prepare_process
from annotator.supervisor import Supervisor, standard_chores
from storage.records import EvidenceError

if TYPE_CHECKING:
    import gradio as gr

log = logging.getLogger(__name__)

SESSIONS_KEPT = 500
UPLOADS_KEPT_SECONDS = 3600


class CannotStart(EvidenceError):
    """The app cannot be started as asked; the text says what to change."""


class App:
    """One project being served. `start()` returns once the page answers; `stop()` ends everything it started."""

    def __init__(self, settings: Settings) -> None:
        check_address(settings)
        prepare_process(settings)
        self.settings = settings
        self.project: Project = open_project(settings)
        self._alone = contextlib.ExitStack()
        self._alone.enter_context(serving_alone(settings.data_dir))
        check_sign_in(settings, self.project)
        self.models = ModelService(self.project.store, settings)
        self.accounts = Accounts(self.project.store, session_hours=settings.session_hours)
        self.supervisor = _supervisor(settings, self.project)
        self._blocks: gr.Blocks | None = None

    @property
    def url(self) -> str:
        assert self._blocks is not None
        return str(self._blocks.local_url)

    def start(self) -> None:
        """Build the pages and serve them from a thread of their own. Raises CannotStart if the port is taken."""
        from annotator.ui.context import Context
        from annotator.ui.layout import build_blocks, page_options

        self._blocks = build_blocks(Context(self.project, self.models))
        self._blocks.queue(api_open=False, default_concurrency_limit=16)
        launch(self._blocks, self.settings, self._app_options(), page_options())
        self.models.start()
        if self.supervisor is not None:
            self.supervisor.start()

    def stop(self) -> None:
        if self.supervisor is not None:
            self.supervisor.stop()
        self.models.stop()
        if self._blocks is not None:
            self._blocks.close(verbose=False)
        self.project.store.close()
        self._alone.close()

    def _app_options(self) -> dict[str, Any]:
        gate = Middleware(Gate, store=self.project.store, accounts=self.accounts, settings=self.settings)
        routes = session_routes(self.accounts, self.settings, self.project.store, self.models)
        routes += model_routes(self.settings, self.project.store)
        routes += export_routes(self.settings, self.project.store)
        return {"middleware": [gate], "routes": routes, "docs_url": None, "redoc_url": None, "openapi_url": None}


def serve(settings: Settings, *, announce: Callable[[str], None]) -> None:
    """Serve until SIGINT or SIGTERM. `announce` is given the address once the page answers."""
    logging.basicConfig(level=settings.log_level.upper(), format="%(levelname)s %(name)s: %(message)s")
    app = App(settings)
    finished = threading.Event()

    def finish(_signal: int, _frame: FrameType | None) -> None:
        finished.set()

    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, finish)
    try:
        app.start()
        announce(app.url)
        finished.wait()
    finally:
        app.stop()


def launch(blocks: gr.Blocks, settings: Settings, app_options: dict[str, Any], page: dict[str, Any]) -> None:
    """`Blocks.launch` as this product needs it (ZeroGPU Spaces hook exactly this method)."""
    try:
        blocks.launch(
            server_name=settings.host,
            server_port=settings.port or free_port(settings.host),
            prevent_thread_lock=True,
            quiet=True,
            show_error=False,
            share=False,
            auth_dependency=_user_name,
            app_kwargs=app_options,
            max_file_size=f"{settings.max_upload_mb}mb",
            blocked_paths=_blocked_paths(settings),
            state_session_capacity=SESSIONS_KEPT,
            enable_monitoring=False,
            run_history=False,
            footer_links=[],
            ssr_mode=False,
            mcp_server=False,
            pwa=False,
            **page,
        )
    except ValueError as error:  # Gradio asks for its own page and gives up after 3 s, which a busy machine exceeds
        if not blocks.is_running:
            raise CannotStart(f"The app could not be started: {error}") from error
    except OSError as error:
        raise CannotStart(
            f"Port {settings.port} on {settings.host} cannot be used (taken by another program?). Choose another with --port."
        ) from error


def check_address(settings: Settings) -> None:
    """Raise CannotStart if the port is taken: asked before the slow imports, so that the answer comes at once."""
    if settings.port == 0:
        return
    family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
    with socket.socket(family) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((settings.host.strip("[]"), settings.port))
        except socket.gaierror as error:
            raise CannotStart(f"{settings.host} is not an address of this machine.") from error
        except OSError as error:
            raise CannotStart(
                f"Port {settings.port} on {settings.host} cannot be used: {error.strerror}."
                " Choose another with --port, or stop the program that holds it."
            ) from error


def check_sign_in(settings: Settings, project: Project) -> None:
    """Raise CannotStart if people elsewhere could come in without signing in and nobody asked for that."""
    if settings.is_loopback or settings.demo or project.store.has_accounts():
        return
    if not settings.allow_remote_without_accounts:
        raise CannotStart(
            f"{settings.host} can be reached from other machines, and there are no accounts. Add one with"
            " `evidence users add NAME --role admin`, or say --allow-remote-without-accounts if everyone there may do everything."
        )


def free_port(host: str) -> int:
    with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET) as probe:
        probe.bind((host.strip("[]"), 0))
        return int(probe.getsockname()[1])


def _blocked_paths(settings: Settings) -> list[str]:
    """Of the data directory only the uploads may be served: it may lie under the working directory, which Gradio serves."""
    names = ("evidence.db", "evidence.db-wal", "evidence.db-shm")
    folders = (settings.models_dir, settings.backups_dir, settings.data_dir / "exports")
    return [*(str(settings.data_dir / name) for name in names), *map(str, folders)]


def _supervisor(settings: Settings, project: Project) -> Supervisor | None:
    """The keeper of the worker; the public demo trains nothing and has none."""
    if not settings.worker or settings.demo:
        return None
    return Supervisor(settings, project.jobs, chores=standard_chores(settings, project.jobs))


async def _user_name(request: Request) -> str | None:
    """For Gradio's own checks: the gate has decided already."""
    await asyncio.sleep(0)
    person = person_of(request)
    return None if person is None else person.name
