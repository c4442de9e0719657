"""Pages beside the app: plain HTML without scripts, which work before anything else has loaded. Texts must be escaped already."""

from __future__ import annotations

import html
from urllib.parse import parse_qs

from starlette.requests import Request
from starlette.responses import HTMLResponse

LARGEST_FORM_BYTES = 8192


def plain_page(
    title: str, body: str, *, status: int = 200, headers: dict[str, str] | None = None, wide: bool = False
) -> HTMLResponse:
    """A page with one card; `body` is HTML."""
    shape = ' class="wide"' if wide else ""
    page = _PAGE.replace("<!--title-->", html.escape(title)).replace("<main>", f"<main{shape}>")
    return HTMLResponse(page.replace("<!--body-->", body), status_code=status, headers=headers)


async def small_form(request: Request) -> dict[str, str] | None:
    """The fields of a url-encoded form, or None if it is larger than any form here can be."""
    body = b""
    async for chunk in request.stream():
        body += chunk
        if len(body) > LARGEST_FORM_BYTES:
            return None
    return {name: values[0] for name, values in parse_qs(body.decode("utf-8", "replace")).items()}


_PAGE = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title><!--title--> · Evidence annotator</title>
<link rel="icon" href="data:,">
<style>
/* the colors of the app's pages: teal on slate */
:root { color-scheme: light dark; --ink: #1e293b; --soft: #475569; --line: #cbd5e1; --page: #f8fafc; --card: #fff; --accent: #0f766e; }
@media (prefers-color-scheme: dark) {
  :root { --ink: #f1f5f9; --soft: #94a3b8; --line: #475569; --page: #0b0f19; --card: #0f172a; --accent: #5eead4; }
}
* { box-sizing: border-box; }
body { margin: 0; padding-block: 1rem; min-height: 100vh; display: grid; place-items: center; background: var(--page); color: var(--ink);
  font: 16px/1.5 system-ui, sans-serif; }
main { width: min(22rem, calc(100vw - 2rem)); padding: 2rem; background: var(--card); border: 1px solid var(--line);
  border-radius: 12px; }
h1 { font-size: 1.25rem; margin: 0 0 .25rem; }
p { margin: 0 0 1.25rem; color: var(--soft); font-size: .95rem; }
p.note { color: var(--ink); border-left: 3px solid #c2410c; padding-left: .75rem; }
label { display: block; font-size: .9rem; margin: 0 0 1rem; }
[hidden] { display: none !important; } /* the name for the password manager */
input { display: block; width: 100%; margin-top: .25rem; padding: .6rem .7rem; font: inherit; color: inherit;
  background: transparent; border: 1px solid var(--line); border-radius: 8px; }
a.button { display: block; text-align: center; text-decoration: none; padding: .65rem; font-weight: 600; color: #fff;
  background: #0f766e; border-radius: 8px; }
@media (forced-colors: active) { button, a.button { border: 2px solid ButtonBorder !important; } }
button { width: 100%; padding: .65rem; font: inherit; font-weight: 600; color: #fff; background: #0f766e; border: 0;
  border-radius: 8px; cursor: pointer; }
:focus-visible { outline: 2px solid var(--accent); outline-offset: 2px; }
main.wide { width: min(52rem, calc(100vw - 2rem)); }
main.wide form { display: flex; flex-wrap: wrap; gap: .75rem; align-items: end; }
form + p { margin: 1.25rem 0 0; }
main.wide form label { flex: 1 1 12rem; margin: 0; }
main.wide form :is(input, select, button) { height: 2.75rem; }
main.wide form button { width: auto; padding: .6rem 1rem; }
main.wide td form { justify-content: end; }
.scroll { overflow-x: auto; margin: 1.5rem 0 0; }
table { width: 100%; border-collapse: collapse; font-size: .9rem; }
th, td { text-align: left; padding: .5rem .5rem .5rem 0; border-bottom: 1px solid var(--line); }
summary { cursor: pointer; color: var(--accent); white-space: nowrap; }
@media (max-width: 600px) {
  main.wide { padding: 1.25rem; }
  main.wide thead { display: none; }
  main.wide tr { display: block; padding: .6rem 0; border-bottom: 1px solid var(--line); }
  main.wide td { display: block; padding: .1rem 0; border: 0; }
  main.wide td[data-head]::before { content: attr(data-head) ": "; color: var(--soft); }
}
code { font-family: ui-monospace, Menlo, monospace; overflow-wrap: anywhere; }
a { color: var(--accent); }
select { display: block; width: 100%; margin-top: .25rem; padding: .6rem .7rem; font: inherit; color: inherit;
  background: var(--card); border: 1px solid var(--line); border-radius: 8px; }
</style>
</head>
<body>
<main>
<!--body-->
</main>
</body>
</html>
"""
