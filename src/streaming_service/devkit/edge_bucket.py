"""The edge's second backend: the manifest bucket with its VOD copies, as a folder."""

import asyncio
from collections.abc import Callable
from pathlib import Path
from urllib.parse import unquote

from aiohttp import web

from streaming_service.devkit.edge_playlist import authorize_children
from streaming_service.devkit.edge_proxy import OPEN_TO_BROWSERS
from streaming_service.domain.placement import COPY_FOLDER

_ROOT = f"/{COPY_FOLDER}/"
_PLAYLIST = ".m3u8"
_TYPES = {
    _PLAYLIST: "application/vnd.apple.mpegurl",
    ".m4s": "video/mp4",
    ".mp4": "video/mp4",
    ".vtt": "text/vtt",
}
# Every copy has a path of its own that is never used again, so its media never change. A playlist is kept as shortly
# as in the bucket itself.
_MEDIA_AGE = "public, max-age=31536000, immutable"
_PLAYLIST_AGE = "public, max-age=60"


class EdgeBucket:
    """Files below `folder`; their paths begin with `/vod/`. Nothing outside of it is given, whatever a link says."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def holds(self, path: str) -> bool:
        """Is this a path of the bucket's, whether there is something or not?"""
        return unquote(path).startswith(_ROOT)

    async def serve(self, path: str, extend: Callable[[str], str], own_base: str) -> web.StreamResponse:
        """The file, whole or the range that is asked for; a playlist's children are `extend`ed with the grant."""
        file = await asyncio.to_thread(self._find, unquote(path))
        playlist = await asyncio.to_thread(_text, file) if file and file.suffix == _PLAYLIST else ""
        if file is None or playlist is None:
            return web.Response(status=404, text="404 not in the bucket\n", headers=OPEN_TO_BROWSERS)
        headers = {"content-type": _TYPES.get(file.suffix, "application/octet-stream"), **OPEN_TO_BROWSERS}
        if file.suffix == _PLAYLIST:
            text = authorize_children(playlist, extend, own_base)
            return web.Response(body=text.encode(), headers={**headers, "cache-control": _PLAYLIST_AGE})
        return web.FileResponse(file, headers={**headers, "cache-control": _MEDIA_AGE})

    def _find(self, path: str) -> Path | None:
        key = path.removeprefix("/")
        if not all(key.split("/")):  # a bucket compares names, it knows no folders
            return None
        try:
            root = self._folder.resolve(strict=True)
            file = root.joinpath(key).resolve(strict=True)
        except (OSError, RuntimeError, ValueError):  # not there, links that go round in circles, no path at all
            return None
        return file if file.is_relative_to(root) and file.is_file() else None


def _text(file: Path) -> str | None:
    try:
        return file.read_text(errors="replace")
    except OSError:  # removed meanwhile
        return None
