"""From latents to a two-dimensional map, and how good the map is."""
