"""The map in napari's canvas: a static cloud of points and what is drawn over it."""
