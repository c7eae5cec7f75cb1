"""What leaves a session: tables, folders, networks and reports."""
