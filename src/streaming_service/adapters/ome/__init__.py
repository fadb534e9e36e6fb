"""OvenMediaEngine. `OmeClient` is usable on its own; the rest makes it the application's Origin and Fleet."""

from streaming_service.adapters.ome.client import AlreadyExists, Forbidden, OmeClient, OmeError
from streaming_service.adapters.ome.fleet import OmeConnections, OmeFleet
from streaming_service.adapters.ome.null import NullOme
from streaming_service.adapters.ome.origin import OmeOrigin

__all__ = ["AlreadyExists", "Forbidden", "NullOme", "OmeClient", "OmeConnections", "OmeError", "OmeFleet", "OmeOrigin"]
