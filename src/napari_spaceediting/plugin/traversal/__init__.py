"""What would make an image one of another kind."""
