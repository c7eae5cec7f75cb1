"""Teach a neural network by editing its latent space, in napari or headless."""

__version__ = "0.1.0"
