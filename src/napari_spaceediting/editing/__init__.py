"""Edits, what they mean in latent space, and the retraining that follows them."""
