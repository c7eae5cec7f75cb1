"""Images, labels and splits: everything that the rest of the plugin works on."""
