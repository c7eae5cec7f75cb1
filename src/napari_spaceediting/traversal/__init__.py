"""Deep Manifold Traversal: what would make this image one of those."""
