"""The playback control plane for OvenMediaEngine."""

__version__ = "0.1.0"
