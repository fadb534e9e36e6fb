"""Where the topology may be written down: in the settings, in a file, in DNS."""
