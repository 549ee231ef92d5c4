"""Training discipline: candidates, cross-validation under a deadline, and the choice among them."""
