"""The objects of a Labels layer, where images are those."""
