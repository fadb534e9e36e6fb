"""`streaming-service dev`: the service and stand-ins for everything around it, in one process on loopback."""
