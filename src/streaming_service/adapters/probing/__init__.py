"""Probes: following a manifest as a player would, from here, through a region's edge, or by an agent there."""
