"""Virtual hosts and their applications: the static ones and those made through the API, which a restart forgets."""

from typing import Any

from streaming_service.devkit.ome.channels import Channels
from streaming_service.devkit.ome.rest import ApiError

Json = dict[str, Any]


class Application:
    """`channels` is None for one without a schedule provider."""

    def __init__(self, vhost: str, name: str, config: Json, channels: Channels | None = None) -> None:
        self.vhost = vhost
        self.name = name
        self.config = config
        self.channels = channels


class VirtualHost:
    """Read-only when it comes from `Server.xml`, as the one with our applications does."""

    def __init__(self, name: str, config: Json, *, static: bool = False) -> None:
        self.name = name
        self.config = config
        self.static = static
        self.applications: dict[str, Application] = {}

    def check_writable(self) -> None:
        if self.static:
            raise ApiError(403, f"The VirtualHost is read-only: [{self.name}]")


class Inventory:
    """Lookups raise ApiError 404 with the words of OME."""

    def __init__(self) -> None:
        self.vhosts: dict[str, VirtualHost] = {}

    def vhost(self, name: str) -> VirtualHost:
        if name not in self.vhosts:
            raise ApiError(404, f"Could not find the virtual host: [{name}]")
        return self.vhosts[name]

    def application(self, vhost: str, name: str) -> Application:
        applications = self.vhost(vhost).applications
        if name not in applications:
            raise ApiError(404, f"Could not find the application: [{vhost}/{name}]")
        return applications[name]

    def stream_missing(self, application: Application, stream: str) -> ApiError:
        where = f"{application.vhost}/#{application.vhost}#{application.name}/{stream}"
        return ApiError(404, f"Could not find the stream: [{where}]")
