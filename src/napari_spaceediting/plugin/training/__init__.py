"""The network: training it, and retraining it with edits."""
