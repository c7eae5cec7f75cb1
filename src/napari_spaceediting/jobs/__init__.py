"""Long work: what a job is, and the process that runs it in the background."""
