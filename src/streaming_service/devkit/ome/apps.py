"""`/v1/vhosts/{vhost}/apps`."""

from typing import Any, cast

from streaming_service.devkit.ome.inventory import Application, Inventory, Json, VirtualHost
from streaming_service.devkit.ome.rest import ApiError, Call, ConfigError, Reply, Router, envelope, many, ok
from streaming_service.devkit.ome.schedule_body import as_object
from streaming_service.devkit.ome.vhosts import checked_config

_FIELDS = {"name", "type", "dynamic", "decodes", "outputProfiles", "providers", "publishers"}
# 0.20 spells it hLSChunklistPathDepth and refuses this one.
_PLAYLIST_OPTIONS = {"webRtcAutoAbr", "hlsChunklistPathDepth", "enableTsPackaging"}


class Applications:
    def __init__(self, inventory: Inventory) -> None:
        self._inventory = inventory

    def register(self, router: Router) -> None:
        router.add("GET", "/v1/vhosts/{vhost}/apps", self.index)
        router.add("POST", "/v1/vhosts/{vhost}/apps", self.create)
        router.add("GET", "/v1/vhosts/{vhost}/apps/{app}", self.show)
        router.add("PATCH", "/v1/vhosts/{vhost}/apps/{app}", self.patch)
        router.add("DELETE", "/v1/vhosts/{vhost}/apps/{app}", self.delete)

    def index(self, call: Call) -> Reply:
        return ok(list(self._inventory.vhost(*call.params).applications))

    def show(self, call: Call) -> Reply:
        return ok(self._inventory.application(*call.params).config)

    def create(self, call: Call) -> Reply:
        vhost = self._inventory.vhost(*call.params)
        items = call.batch
        vhost.check_writable()
        # A configuration error in one item is the answer to all, although those before it have been created.
        return many([self._create(vhost, item) for item in items])

    def patch(self, call: Call) -> Reply:
        vhost, application = self._writable(call)
        change = as_object(call.body)
        for key in ("name", "outputProfiles"):
            if key in change:
                raise ApiError(400, f"Cannot change [{key}] using this API")
        checked_config(change, "application", _FIELDS, ())
        config = _merged(application.config, change)
        # OME restarts the application here and throws every viewer out; ours has no viewers.
        vhost.applications[application.name] = Application(vhost.name, application.name, config)
        return ok(config)

    def delete(self, call: Call) -> Reply:
        vhost, application = self._writable(call)
        del vhost.applications[application.name]
        return ok()

    def _writable(self, call: Call) -> tuple[VirtualHost, Application]:
        application = self._inventory.application(*call.params)
        vhost = self._inventory.vhost(application.vhost)
        vhost.check_writable()
        return vhost, application

    def _create(self, vhost: VirtualHost, item: Any) -> Json:
        config = checked_config(item, "application", _FIELDS, ("name", "type"))
        if config["type"] not in {"live", "vod"}:
            raise ConfigError(f"Unknown type: {config['type']}")
        _check_playlists(config)
        name = str(config["name"])
        if name in vhost.applications:
            return envelope(409, f"Could not create the application: [{vhost.name}/{name}] already exists")
        config = {**_default_config(), **config}
        vhost.applications[name] = Application(vhost.name, name, config)
        return envelope(200, "OK", config)


def _check_playlists(config: Json) -> None:
    for profile in output_profiles(config):
        for playlist in cast("list[Json]", profile.get("playlists") or []):
            for option in cast("Json", playlist.get("options") or {}):
                if option not in _PLAYLIST_OPTIONS:
                    raise ConfigError(f"Unknown item found: playlists.options.{option}")


def output_profiles(config: Json) -> list[Json]:
    """The profiles inside an application's configuration; changing the list changes the application."""
    holder = cast("Json", config.setdefault("outputProfiles", {}))
    return cast("list[Json]", holder.setdefault("outputProfile", []))


def _merged(config: Json, change: Json) -> Json:
    merged = dict(config)
    for key, value in change.items():
        old = merged.get(key)
        both = isinstance(old, dict) and isinstance(value, dict)
        merged[key] = _merged(cast("Json", old), cast("Json", value)) if both else value
    return merged


def _default_config() -> Json:
    """What OME fills in for an application that names nothing."""
    audio: Json = {"bitrate": 128000, "bypassIfMatch": {"codec": "eq"}, "channel": 2, "samplerate": 48000}
    profile: Json = {
        "name": "default",
        "outputStreamName": "${OriginStreamName}",
        "encodes": {
            "audios": [{**audio, "codec": codec, "name": codec} for codec in ("opus", "aac")],
            "videos": [{"bypass": True, "name": "bypass_video"}],
        },
    }
    return {
        "dynamic": False,
        "outputProfiles": {"outputProfile": [profile]},
        "providers": {"ovt": {}, "rtmp": {}, "rtspPull": {}, "srt": {}, "webrtc": {}},
        "publishers": {"llhls": {}, "ovt": {}, "webrtc": {}},
    }
