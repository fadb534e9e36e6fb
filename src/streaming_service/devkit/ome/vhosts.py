"""`/v1/vhosts`."""

from typing import Any, cast

from streaming_service.devkit.ome.inventory import Inventory, Json, VirtualHost
from streaming_service.devkit.ome.rest import Call, ConfigError, Reply, Router, envelope, many, ok

_FIELDS = {
    *("name", "host", "distribution", "signedPolicy", "signedToken", "admissionWebhooks"),
    *("origins", "originMapStore", "crossDomains"),
}


class VirtualHosts:
    def __init__(self, inventory: Inventory) -> None:
        self._inventory = inventory

    def register(self, router: Router) -> None:
        router.add("GET", "/v1/vhosts", self.index)
        router.add("POST", "/v1/vhosts", self.create)
        router.add("GET", "/v1/vhosts/{vhost}", self.show)
        router.add("DELETE", "/v1/vhosts/{vhost}", self.delete)

    def index(self, _: Call) -> Reply:
        return ok(list(self._inventory.vhosts))

    def show(self, call: Call) -> Reply:
        return ok(self._inventory.vhost(*call.params).config)

    def create(self, call: Call) -> Reply:
        return many([self._create(item) for item in call.batch])

    def delete(self, call: Call) -> Reply:
        vhost = self._inventory.vhost(*call.params)
        vhost.check_writable()
        del self._inventory.vhosts[vhost.name]
        return ok()

    def _create(self, item: Any) -> Json:
        try:
            config = checked_config(item, "virtualHost", _FIELDS, ("name",))
        except ConfigError as error:  # unlike for applications, this stays within the item
            return envelope(400, error.message)
        name = str(config["name"])
        if name in self._inventory.vhosts:
            return envelope(409, f"The virtual host already exists: [{name}]")
        self._inventory.vhosts[name] = VirtualHost(name, config)
        return envelope(200, "OK", config)


def checked_config(item: Any, kind: str, fields: set[str], required: tuple[str, ...]) -> Json:
    """The object, if it has only known fields and all the required ones. Raises ConfigError."""
    if not isinstance(item, dict):
        raise ConfigError(f"{kind} is not an object")
    config = cast("Json", item)
    for key in config:
        if key not in fields:
            raise ConfigError(f"Unknown item found: {kind}.{key}")
    for key in required:
        if key not in config:
            raise ConfigError(f"{kind}.{key} is not optional")
    return config
