"""`/v1/vhosts/{vhost}/apps/{app}/outputProfiles`."""

from typing import Any, cast

from streaming_service.devkit.ome.apps import output_profiles
from streaming_service.devkit.ome.inventory import Inventory, Json
from streaming_service.devkit.ome.rest import ApiError, Call, Reply, Router, envelope, many, ok
from streaming_service.devkit.ome.schedule_body import as_object

_PATH = "/v1/vhosts/{vhost}/apps/{app}/outputProfiles"


class OutputProfiles:
    def __init__(self, inventory: Inventory) -> None:
        self._inventory = inventory

    def register(self, router: Router) -> None:
        router.add("GET", _PATH, self.index)
        router.add("POST", _PATH, self.create)
        router.add("GET", f"{_PATH}/{{profile}}", self.show)
        router.add("PATCH", f"{_PATH}/{{profile}}", self.patch)
        router.add("DELETE", f"{_PATH}/{{profile}}", self.delete)

    def index(self, call: Call) -> Reply:
        vhost, app = call.params
        return ok([profile["name"] for profile in self._profiles(vhost, app)])

    def show(self, call: Call) -> Reply:
        return ok(self._find(*call.params))

    def create(self, call: Call) -> Reply:
        vhost, app = call.params
        profiles = self._profiles(vhost, app)
        items = call.batch
        self._inventory.vhost(vhost).check_writable()
        return many([_create(profiles, item) for item in items])

    def patch(self, call: Call) -> Reply:
        profile = self._find(*call.params)
        self._inventory.vhost(call.params[0]).check_writable()
        change = as_object(call.body)
        if "name" in change:
            raise ApiError(400, "The name entry cannot be specified in the modification")
        profile.update(change)
        return ok(profile)

    def delete(self, call: Call) -> Reply:
        vhost, app, _ = call.params
        profile = self._find(*call.params)
        self._inventory.vhost(vhost).check_writable()
        self._profiles(vhost, app).remove(profile)
        return ok()

    def _profiles(self, vhost: str, app: str) -> list[Json]:
        return output_profiles(self._inventory.application(vhost, app).config)

    def _find(self, vhost: str, app: str, name: str) -> Json:
        for profile in self._profiles(vhost, app):
            if profile["name"] == name:
                return profile
        raise ApiError(404, f"Could not find the output profile: [{vhost}/{app}/{name}]")


def _create(profiles: list[Json], item: Any) -> Json:
    profile = cast("Json", item) if isinstance(item, dict) else {}
    if not {"name", "outputStreamName", "encodes"} <= profile.keys():
        raise ApiError(400, 'Invalid request body: "name", "outputStreamName", "encodes" are required')
    if any(other["name"] == profile["name"] for other in profiles):
        return envelope(409, f'The output profile "{profile["name"]}" already exists')
    profiles.append(profile)
    return envelope(200, "OK", profile)
