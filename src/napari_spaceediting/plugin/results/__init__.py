"""Taking results out: tables, folders, the network, a report, and predictions."""
