"""GraphiQL: the page at /graphql for browsers, built from locked packages and served from Atoll's own files."""

import asyncio
import json
from collections.abc import Sequence
from dataclasses import asdict
from functools import cache
from pathlib import Path

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import FileResponse, HTMLResponse, Response
from starlette.routing import BaseRoute, Route

from app.compression import compress
from app.graphiql.example import EXAMPLES, Account, Example, read_examples
from app.negotiation import Coding, negotiate_coding

__all__ = ["EXAMPLES", "Account", "Example", "build_routes", "read_examples", "serve_page"]

DIST = Path(__file__).parent / "dist"

# Monaco and the menus write inline styles whose text is known only at run time, so neither a hash nor a nonce can allow
# them: inline styles are allowed, inline scripts are not.
CONTENT_SECURITY_POLICY = {
    "default-src": "'none'",
    "script-src": "'self'",
    "style-src": "'self' 'unsafe-inline'",
    "connect-src": "'self'",
    "font-src": "'self'",
    "img-src": "'self' data:",
    "worker-src": "'self'",
    "frame-ancestors": "'none'",
    "base-uri": "'none'",
    "form-action": "'none'",
}
SECURITY_HEADERS = {
    "content-security-policy": "; ".join(
        f"{directive} {sources}" for directive, sources in CONTENT_SECURITY_POLICY.items()
    ),
    "cross-origin-resource-policy": "same-origin",
    "referrer-policy": "no-referrer",
    "x-content-type-options": "nosniff",
}
NOT_STORED = SECURITY_HEADERS | {"cache-control": "no-store"}
# A built file's name contains a hash of its content, so a cached file is never out of date.
STORED = SECURITY_HEADERS | {"cache-control": "public, max-age=31536000, immutable", "vary": "Accept-Encoding"}

# Python's own table depends on the machine, and with `nosniff` browsers do not run a script of a wrong type.
MEDIA_TYPES = {
    ".css": "text/css",
    ".js": "text/javascript",
    ".svg": "image/svg+xml",
    ".ttf": "font/ttf",
    ".woff": "font/woff",
    ".woff2": "font/woff2",
}
COMPRESSED_TYPES = {".css", ".js", ".svg", ".ttf"}
"""Types of files that are compressed for clients. The other fonts are compressed by themselves."""

NOT_BUILT = """<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Atoll</title>
<style>
  body { color: #164e63; font: 17px/1.6 system-ui, sans-serif; margin: 18vh auto; max-width: 34rem; padding: 0 1.5rem }
  code { background: #ecfeff; border-radius: 4px; padding: .1em .35em }
</style>
<h1>Atoll</h1>
<p>This installation has no GraphiQL. In a checkout, <code>make graphiql</code> builds it; then reload this page.</p>
<p>The API works without it: send <code>POST /graphql</code> with a JSON body such as
<code>{"query": "{ __typename }"}</code>.</p>
</html>
"""


def build_routes(examples: Sequence[Example], accounts: Sequence[Account]) -> list[BaseRoute]:
    """Return the routes of the page's scripts and styles, and of its configuration: examples and accounts.

    Anyone who can open the page can read the accounts' tokens: pass accounts only for the demo.
    """
    config = json.dumps({"examples": list(map(asdict, examples)), "accounts": list(map(asdict, accounts))})

    async def serve_config(_request: Request) -> Response:
        return Response(config, media_type="application/json", headers=NOT_STORED)

    return [
        Route("/graphql/ide/config.json", serve_config),
        Route("/graphql/ide/assets/{name}", _serve_asset),
    ]


async def serve_page(_request: Request) -> Response:
    """Return the page of GraphiQL, or one that says how to build it if it is not built."""
    try:
        html = (DIST / "index.html").read_text(encoding="utf-8")
    except FileNotFoundError:
        html = NOT_BUILT
    return HTMLResponse(html, headers=NOT_STORED)


async def _serve_asset(request: Request) -> Response:
    """Return a file of the GraphiQL build; raise HTTPException(404) for a name that the folder does not list."""
    assets = DIST / "assets"
    built = {path.name: path for path in assets.iterdir() if path.is_file()} if assets.is_dir() else {}
    path = built.get(request.path_params["name"])
    if path is None:
        raise HTTPException(404, headers=NOT_STORED)
    media_type = MEDIA_TYPES.get(path.suffix, "application/octet-stream")
    coding = negotiate_coding(",".join(request.headers.getlist("accept-encoding")).encode("latin-1"))
    if coding is None or path.suffix not in COMPRESSED_TYPES:
        return FileResponse(path, media_type=media_type, headers=STORED)
    body = await asyncio.to_thread(_compressed_file, path, coding)
    return Response(body, media_type=media_type, headers=STORED | {"content-encoding": coding})


@cache
def _compressed_file(path: Path, coding: Coding) -> bytes:
    """Return the compressed content of a file, which never changes. All files together take 2 MB for each coding."""
    return compress(path.read_bytes(), coding)
