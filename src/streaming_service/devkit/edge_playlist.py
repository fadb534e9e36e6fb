"""HLS playlists on their way through the edge."""

import re
from collections.abc import Callable

# Every tag that names a resource does so in an attribute URI="…": MEDIA, MAP, PART, PRELOAD-HINT, RENDITION-REPORT,
# I-FRAME-STREAM-INF, KEY (RFC 8216bis, section 4).
_URI_ATTRIBUTE = re.compile(r'(?<=[:,])URI="([^"]*)"')
_ABSOLUTE = re.compile(r"(?:[A-Za-z][A-Za-z0-9+.-]*:|//)")


def authorize_children(playlist: str, extend: Callable[[str], str], own_base: str) -> str:
    """Apply `extend` to every URI of a media or multivariant playlist that leads back to this edge.

    Those are relative URIs and absolute ones below `own_base`. Any other host must not see the grant.
    """

    def signed(uri: str) -> str:
        foreign = _ABSOLUTE.match(uri) and not uri.startswith(own_base.rstrip("/") + "/")
        return uri if not uri or foreign else extend(uri)

    return "".join(_line(line, signed) for line in playlist.splitlines(keepends=True))


def _line(line: str, signed: Callable[[str], str]) -> str:
    content = line.strip()
    if content.startswith("#EXT"):
        return _URI_ATTRIBUTE.sub(lambda match: f'URI="{signed(match[1])}"', line)
    if not content or content.startswith("#"):
        return line
    return line.replace(content, signed(content), 1)
