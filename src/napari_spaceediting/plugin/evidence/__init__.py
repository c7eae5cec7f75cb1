"""What a round has changed."""
