"""The download mirror: what the client machine downloads, at ``/<name>``.

Covered: GET and HEAD of the archives that set-up built (``lab/setup/archives.py`` lists them) and of their
``digests.json``; ranges and conditional requests; 404 for anything else.

Known differences from Apache's, Confluent's and GitHub's downloads: no folders, no redirects, no signatures.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from aiohttp import web

from lab.cloud.serving import serve
from lab.state import State


async def start(state: State) -> list[Any]:
    return [await serve(state, "mirror", application(state.install / "mirror"))]


def application(folder: Path) -> web.Application:
    """Reads the folder on each request, so an archive that set-up rebuilds is served without a restart."""

    async def archive(request: web.Request) -> web.StreamResponse:
        name = request.match_info["name"]
        offered = {path.name: path for path in folder.iterdir() if path.is_file()} if folder.is_dir() else {}
        if name not in offered or name.startswith("."):
            return web.Response(status=404, text=f"no archive {name}; there are {', '.join(sorted(offered))}\n")
        return web.FileResponse(offered[name], headers={"Content-Type": "application/octet-stream"})

    app = web.Application()
    app.router.add_get("/{name}", archive)
    return app
