"""Warm-ups: fetching what players fetch first, through a region's edge, by an agent there, or by CDN control."""
