"""What `GET …/apps/{app}` shows of an application that `Server.xml` declares: every value is a string."""

from pathlib import Path

from streaming_service.devkit.ome.ffmpeg_command import AUDIO_BITRATE
from streaming_service.devkit.ome.inventory import Json
from streaming_service.devkit.ome.playlists import playlist_rungs
from streaming_service.domain.ladder import Ladder

STATIC_VHOST: Json = {"distribution": "local", "host": {"names": ["*"]}, "crossDomains": {"urls": ["*"]}}


def application_config(name: str, ladder: Ladder, media_root: Path, folder: Path, path_depth: int) -> Json:
    audio: Json = {"name": "aac_audio", "codec": "aac", "bitrate": str(AUDIO_BITRATE), "bypassIfMatch": {"codec": "eq"}}
    videos = [
        {
            "name": f"video_{rung.name}",
            "codec": "h264",
            "bitrate": str(rung.bitrate_kbps * 1000),
            "width": str(rung.width),
            "height": str(rung.height),
        }
        for rung in ladder.rungs
    ]
    profile: Json = {
        "name": "ladder",
        "outputStreamName": "${OriginStreamName}",
        "encodes": {"audios": [{**audio, "channel": "2", "samplerate": "48000"}], "videos": videos},
        "playlists": [_playlist(ladder, *item, path_depth) for item in playlist_rungs(ladder).items()],
    }
    return {
        "name": name,
        "type": "live",
        "dynamic": False,
        "outputProfiles": {"outputProfile": [profile]},
        "providers": {"schedule": {"mediaRootDir": str(media_root), "scheduleFilesDir": str(folder)}},
        "publishers": {"llhls": {"crossDomains": {"urls": ["*"]}, "originMode": "true"}},
    }


def _playlist(ladder: Ladder, file_name: str, rungs: tuple[int, ...], path_depth: int) -> Json:
    names = [ladder.rungs[rung].name for rung in rungs]
    renditions = [{"name": name, "video": f"video_{name}", "audio": "aac_audio"} for name in names]
    options = {"hlsChunklistPathDepth": str(path_depth), "webRtcAutoAbr": "true"}
    return {"name": file_name, "fileName": file_name, "options": options, "renditions": renditions}
