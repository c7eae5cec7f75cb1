"""The one owner of state: data, model, map, edits and rounds."""
