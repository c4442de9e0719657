"""Downloads of model versions over HTTP: `GET /models/{id}.zip`, for adjudicators and admins. Behind the gate."""

from __future__ import annotations

import asyncio
import os
import tempfile
from pathlib import Path

from starlette.background import BackgroundTask
from starlette.requests import Request
from starlette.responses import FileResponse, PlainTextResponse, Response
from starlette.routing import Route

from annotator.models.archives import export_version
from annotator.people.accounts import NotAllowed, allow
from annotator.settings import Settings
from annotator.web.gate import person_of
from storage.records import EvidenceError, NotFound, Role
from storage.store import Store
from storage.trouble import StorageTrouble


def model_routes(settings: Settings, store: Store) -> list[Route]:
    """The archive is written for each request, outside every folder that is served, and goes when it has been sent."""

    def archive(model_id: str) -> Path:
        handle, name = tempfile.mkstemp(prefix=".download-", suffix=".zip", dir=settings.models_dir)
        os.close(handle)
        path = Path(name)
        try:
            return export_version(store, settings, model_id, path)
        except BaseException:
            path.unlink()
            raise

    async def download(request: Request) -> Response:
        model_id = request.path_params["model_id"]
        try:
            allow(person_of(request), Role.ADJUDICATOR, Role.ADMIN)
            path = await asyncio.to_thread(archive, model_id)
        except NotAllowed as error:
            return PlainTextResponse(str(error), status_code=403)
        except NotFound as error:
            return PlainTextResponse(str(error), status_code=404)
        except StorageTrouble:
            raise  # the gate answers
        except EvidenceError as error:
            return PlainTextResponse(str(error), status_code=409)
        return FileResponse(path, filename=f"{model_id}.zip", background=BackgroundTask(path.unlink))

    return [Route("/models/{model_id}.zip", download, methods=["GET"])]
