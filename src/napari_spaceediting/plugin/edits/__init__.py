"""The list of edits."""
