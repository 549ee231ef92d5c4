"""The page at ``/``: the files of this folder as they are, and the style of the report.

They tell nothing of the model, so that they are open; what the page shows it asks for like every other client, with a
token where one is needed. Nothing is fetched from elsewhere, and no script or style stands in the page itself.
"""

from __future__ import annotations

import hashlib
from importlib.resources import files

from sortal.serve.http import Request, Response
from sortal.serve.service import Service, Timing

SCRIPTS = ("answer.js", "api.js", "chart.js", "dom.js", "form.js", "live.js", "main.js", "model.js")
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self' blob:; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'; trusted-types"
)
"""The browser runs the scripts of this folder and no others, and turns no text into elements or scripts, should
anything slip through.
"""
_TYPES = {"html": "text/html", "css": "text/css", "js": "text/javascript", "svg": "image/svg+xml"}


def _file(package: str, name: str) -> Response:
    body = files(package).joinpath(name).read_bytes()
    media_type = _TYPES[name.rpartition(".")[2]]
    headers = (
        ("content-security-policy", POLICY),
        ("x-content-type-options", "nosniff"),
        ("referrer-policy", "no-referrer"),
        ("cache-control", "no-cache"),
        ("etag", f'"{hashlib.sha256(body).hexdigest()[:32]}"'),
    )
    return Response(200, body, f"{media_type}; charset=utf-8", headers)


FILES = {
    "/": _file("sortal.serve.page", "index.html"),
    "/page/report.css": _file("sortal.report", "style.css"),
    **{f"/page/{name}": _file("sortal.serve.page", name) for name in ("page.css", "icon.svg", *SCRIPTS)},
}
"""What is answered at each address."""


def file(service: Service, request: Request, timing: Timing) -> Response:
    """``GET /`` and the files that the page names; nothing where the browser has the same already."""
    whole = FILES[request.path]
    client_etags = request.headers.get("if-none-match", "")
    return Response(304, b"", whole.media_type, whole.headers) if dict(whole.headers)["etag"] in client_etags else whole


async def live(service: Service, request: Request, timing: Timing) -> Response:
    """``GET /v1/live``"""
    return Response(body=await service.live.now(service.deployment.champion))
