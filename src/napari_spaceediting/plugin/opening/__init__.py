"""Images and sessions that are opened, saved and recovered."""
