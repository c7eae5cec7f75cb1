"""Where views, session and background work meet, one controller for each concern."""
