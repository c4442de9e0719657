"""The running app: pages, routes and gate put together, started, and stopped.

Everything that can go wrong at the start (port taken, directory not writable, newer database, unsafe address) is an
EvidenceError with one clear line, raised before anybody is served.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import socket
import threading
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.routing import Route

from annotator.exchange.uploads import sweep_uploads
from annotator.housekeeping import Housekeeper
from annotator.learning.instant import InstantService
from annotator.models import zero_gpu
from annotator.models.serving import ModelService
from annotator.people.accounts import Accounts
from annotator.project import Project, open_project, warn_of_readers
from annotator.settings import Settings, oauth_client, prepare_process, snapshot_key
from annotator.snapshots.keeper import SnapshotKeeper
from annotator.stop_signals import on_stop_signal
from annotator.supervisor import Supervisor, standard_chores
from annotator.web.api.mcp_tools import ReadingToolsOnly, check_mcp
from annotator.web.api.routes import api_routes
from annotator.web.bodies import Bodies
from annotator.web.calls import Calls
from annotator.web.compression import Compression
from annotator.web.connections import Patience
from annotator.web.export_routes import export_routes
from annotator.web.gate import Gate, person_of, sign_in_is_needed
from annotator.web.identity import PageScript
from annotator.web.model_routes import model_routes
from annotator.web.password_routes import password_routes
from annotator.web.password_threads import PasswordThreads
from annotator.web.paths import Addresses
from annotator.web.proxies import Proxies
from annotator.web.session_routes import session_routes
from annotator.web.token_routes import token_routes
from storage.records import EvidenceError
from storage.serving import serving_alone

if TYPE_CHECKING:
    import gradio as gr

    from annotator.people.oauth import OAuth
    from annotator.ui.context import Context

log = logging.getLogger(__name__)

SESSIONS_KEPT = 500
MOST_WAITING = 200  # who comes when so many wait for something is told that the app is busy


class CannotStart(EvidenceError):
    """The app cannot be started as asked; the text says what to change."""


class LastSnapshotMissing(EvidenceError):
    """The app was stopped and its last changes are not at the place of the snapshots."""


class App:
    """One project being served. `start()` returns once the page answers; `stop()` ends everything it started."""

    def __init__(self, settings: Settings) -> None:
        check_address(settings)
        check_mcp(settings)
        prepare_process(settings)
        self.settings = settings
        self.project: Project = open_project(settings)
        self._alone = contextlib.ExitStack()
        self._alone.enter_context(serving_alone(settings.data_dir))
        self.project.store.check_whole()
        warn_of_readers(settings)
        sweep_uploads(settings, self.project.jobs)
        check_sign_in(settings, self.project)
        self.models = ModelService(self.project.store, settings)
        self.instant = None if settings.demo else InstantService(self.project.store, self.models)
        self.accounts = Accounts(self.project.store, session_hours=settings.session_hours)
        self.oauth = _oauth(settings, self.project, self.accounts)
        self.supervisor = _supervisor(settings, self.project)
        self.keeper = SnapshotKeeper(settings, self.project.store, self.project.jobs, passphrase=snapshot_key())
        self._housekeeper = Housekeeper(settings, self.project.jobs)
        self._patience = Patience(settings)
        self._blocks: gr.Blocks | None = None
        self._context: Context | None = None

    @property
    def url(self) -> str:
        return str(self.blocks.local_url)

    @property
    def blocks(self) -> gr.Blocks:
        """The pages, once the app has started."""
        assert self._blocks is not None
        return self._blocks

    @property
    def context(self) -> Context:
        """What the pages work with, once the app has started."""
        assert self._context is not None
        return self._context

    def start(self) -> None:
        """Build the pages and serve them from a thread of their own. Raises CannotStart if the port is taken."""
        from annotator.ui.context import Context
        from annotator.ui.layout import build_blocks, page_options

        self._context = context = Context(self.project, self.models, self.keeper, self.instant)
        self._blocks = build_blocks(context)
        self._blocks.queue(api_open=False, default_concurrency_limit=16, max_size=MOST_WAITING)
        zero_gpu.is_here()  # where it is, its library hooks the launch
        launch(self._blocks, self.settings, self._app_options(context), page_options())
        self._patience.install(self._blocks.server)
        self.models.start()
        if self.instant is not None:
            self.instant.start()
        if self.supervisor is not None:
            self.supervisor.start()
        self.keeper.start()
        self._housekeeper.start()

    def stop(self) -> bool:
        """Answer the requests that are under way and take no more, then end the worker while a last snapshot is taken.

        Takes at most about `stop_seconds`. False if the last snapshot failed or was not finished in that time.
        """
        deadline = time.monotonic() + self.settings.stop_seconds
        if self._blocks is not None:
            self._blocks.close(verbose=False)
            if (
                server := getattr(self._blocks, "server", None)
            ) is not None:  # it waits 5 s for requests; a save may need more
                server.thread.join(self.settings.stop_seconds / 4)
        self.keeper.ask_to_finish()
        if self.supervisor is not None:
            self.supervisor.stop(timeout_seconds=max(1.0, deadline - time.monotonic() - 1.0))
        saved = self.keeper.finish(max(1.0, deadline - time.monotonic()))
        if self.instant is not None:
            self.instant.stop()
        self.models.stop()
        self._housekeeper.stop()
        if self._context is not None:
            self._context.close()
        self.project.store.close()
        self._alone.close()
        return saved

    def _app_options(self, context: Context) -> dict[str, Any]:
        """What Gradio builds its application with: our routes, and in front of everything, from outside to inside: what a proxy
        says, slow connections, sizes, the gate, what calls may name."""
        from annotator.span_editor.component import editor_style
        from annotator.ui.answers import AnswersAtOnce

        settings, routes = self.settings, self._routes(context)
        addresses = Addresses(routes, mcp=settings.mcp)
        middleware = [
            Middleware(Proxies, settings=settings),
            Middleware(self._patience.middleware),
            Middleware(Bodies, settings=settings),
            Middleware(Compression),
            Middleware(Gate, store=self.project.store, accounts=self.accounts, settings=settings, addresses=addresses),
            Middleware(AnswersAtOnce, context=context),
            Middleware(Calls, permissions=context.permissions, uploads=context.uploads),
            Middleware(PageScript, style=editor_style()),
            *([Middleware(ReadingToolsOnly)] if settings.mcp else []),
        ]
        return {
            "middleware": middleware,
            "routes": routes,
            "docs_url": None,
            "redoc_url": None,
            "openapi_url": None,
        }

    def _routes(self, context: Context) -> list[Route]:
        from annotator.ui.answers import answer_routes

        settings, store = self.settings, self.project.store
        threads = PasswordThreads()
        routes = answer_routes(context)  # first: what is asked most
        routes += session_routes(self.accounts, threads, settings, store, self.models, self.keeper)
        routes += model_routes(settings, store)
        routes += export_routes(settings, store)
        if self.oauth is not None:
            from annotator.web.oauth_routes import oauth_routes

            routes += oauth_routes(self.oauth, settings, store)
        routes += token_routes(settings, store)
        routes += password_routes(settings, store, self.accounts, threads)
        return routes + api_routes(context.api)


def serve(settings: Settings, *, announce: Callable[[str], None]) -> None:
    """Serve until SIGINT or SIGTERM. `announce` is given the address once the page answers."""
    logging.basicConfig(level=settings.log_level.upper(), format="%(levelname)s %(name)s: %(message)s")
    os.umask(0o077)  # whatever this process writes, only its owner reads
    app = App(settings)
    finished = threading.Event()
    on_stop_signal(finished.set)
    try:
        app.start()
        announce(app.url)
        finished.wait()
    finally:
        saved = app.stop()
    if not saved:
        raise LastSnapshotMissing(
            "The app has stopped, but without a last snapshot: decisions since the one before are only in"
            f" {settings.data_dir}. {app.keeper.state.failing}".rstrip()
        )


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
            mcp_server=settings.mcp,
            root_path=settings.root_path or None,
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
    if settings.demo and not settings.oauth and project.store.identities():
        raise CannotStart(
            "People have signed in to this project with Hugging Face; as a public demo it would show its posts to everybody."
            " Name who may come in (EVIDENCE_OAUTH_USERS or EVIDENCE_OAUTH_ORGS), or use another data directory."
        )
    if settings.is_loopback or settings.demo or sign_in_is_needed(project.store, settings):
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


def _oauth(settings: Settings, project: Project, accounts: Accounts) -> OAuth | None:
    """Sign-in with Hugging Face, if people are named. Raises CannotStart where the app is not known to the provider."""
    from annotator.people.oauth import OAuth, follow_settings

    for name in follow_settings(project.store, settings):
        log.warning("%s is not named in the settings any more and is signed out.", name)
    client = oauth_client()
    if not settings.oauth:
        return None
    if client is None:
        raise CannotStart(
            "Hugging Face users are named (EVIDENCE_OAUTH_...), but OPENID_PROVIDER_URL, OAUTH_CLIENT_ID and OAUTH_CLIENT_SECRET"
            " are not all set. On a Space, `hf_oauth: true` in the README's front matter sets them."
        )
    return OAuth(settings, client, project.store, accounts)


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
