"""The two addresses of a sign-in with Hugging Face: where it begins, and where the provider sends the browser back to."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from annotator.people.accounts import AccountError
from annotator.people.oauth import FLOW_SECONDS, FlowUnknown, OAuth, ProviderFailed
from annotator.settings import Settings
from annotator.web.headers import cookie, host_of
from annotator.web.session_routes import login_page, signed_in
from storage.store import Store

BEGIN_PATH, CALLBACK_PATH = "/login/huggingface", "/login/callback"
FLOW_COOKIE = "evidence_oauth"


def oauth_routes(oauth: OAuth, settings: Settings, store: Store) -> list[Route]:
    """GET /login/huggingface and GET /login/callback."""

    async def begin(request: Request) -> Response:
        try:
            url, flow = await oauth.begin(callback_address(request, settings))
        except ProviderFailed as error:
            return login_page(store, settings, str(error), status=502)
        answer = RedirectResponse(url, status_code=303)
        answer.headers.append("set-cookie", cookie(FLOW_COOKIE, flow, settings, max_age=int(FLOW_SECONDS)))
        return answer

    async def callback(request: Request) -> Response:
        try:
            token = await oauth.finish(request.cookies.get(FLOW_COOKIE), request.query_params)
        except ProviderFailed as error:
            return login_page(store, settings, str(error), status=502)
        except FlowUnknown as error:
            return login_page(store, settings, str(error), status=400)
        except AccountError as error:
            return login_page(store, settings, str(error), status=403)
        answer = signed_in(token, settings)
        answer.headers.append("set-cookie", cookie(FLOW_COOKIE, "", settings, max_age=0))
        return answer

    return [Route(BEGIN_PATH, begin, methods=["GET"]), Route(CALLBACK_PATH, callback, methods=["GET"])]


def callback_address(request: Request, settings: Settings) -> str:
    """Where the provider shall send the browser back to: a Space's own name (the first one allowed), else as it was asked."""
    host = settings.allowed_hosts[0] if settings.allowed_hosts else host_of(request.headers)
    is_https = settings.secure_cookies or bool(settings.frame_ancestors)
    return f"{'https' if is_https else request.url.scheme}://{host}{settings.root_path}{CALLBACK_PATH}"
