"""What viewers have to do with a channel: the few facts that decide who may watch it, and where it lies.

They do not name the content, so that those of most contents of a catalogue are the same.
"""

from msgspec import Struct

from streaming_service.domain.channel import Channel
from streaming_service.domain.content import AvailabilityWindow, Drm, GeoRestrictions
from streaming_service.domain.ladder import QUALITIES
from streaming_service.domain.placement import Placement
from streaming_service.domain.state import Status

_ITS_ID = "*"


class Playable(Struct, frozen=True, array_like=True, omit_defaults=True):
    """A hundredth of a channel.

    path       where everything that viewers fetch lies, below the CDN's base URL, with `*` for the content's id; None:
               nothing is served
    playlists  file names of the multivariant playlists, one for each of `QUALITIES`
    base_url   of a CDN of its own; None: everybody's
    """

    retired: bool
    path: str | None = None
    playlists: tuple[str, ...] = ()
    base_url: str | None = None
    drm: Drm | None = None
    availability: AvailabilityWindow | None = None
    geo: GeoRestrictions | None = None

    def path_of(self, content_id: str) -> str | None:
        """`path` as that content's."""
        return None if self.path is None else self.path.replace(_ITS_ID, _digits(content_id))


def playable_of(channel: Channel, playlist: str) -> Playable:
    """What viewers of a channel see; `playlist` is the file name, without `.m3u8`, of the one with the full ladder."""
    spec, serving = channel.spec, channel.serving
    return Playable(
        channel.status is Status.RETIRED,
        path=serving.path.replace(_digits(spec.content_id), _ITS_ID) if serving else None,
        playlists=_playlists(serving, playlist) if serving else (),
        base_url=spec.base_url,
        drm=spec.drm,
        availability=spec.availability,
        geo=spec.geo,
    )


def _digits(content_id: str) -> str:
    return content_id.replace("-", "")


def _playlists(serving: Placement, full: str) -> tuple[str, ...]:
    ladder = serving.ladder
    return tuple(f"{ladder.playlist(quality, full)}.m3u8" for quality in QUALITIES)
