"""Backbones, the latent classifier and its training."""
