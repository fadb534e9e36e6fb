"""Where spans go. Only `otlp.py` knows OpenTelemetry, and only a process that is to trace imports it."""
