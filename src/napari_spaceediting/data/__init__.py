"""Images, labels and splits."""
