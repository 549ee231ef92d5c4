"""What was decided, and what turned out to be true: the log of a service, and the stores that hold it."""
