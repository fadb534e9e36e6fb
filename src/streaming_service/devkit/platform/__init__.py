"""Stand-ins for the services around ours, in one server."""

from streaming_service.devkit.platform.inbox import Received, Signed
from streaming_service.devkit.platform.server import StandInPlatform
from streaming_service.devkit.platform.tokens import DemoTokens

__all__ = ["DemoTokens", "Received", "Signed", "StandInPlatform"]
