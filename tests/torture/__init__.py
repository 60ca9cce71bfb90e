"""What `scripts/torture` runs: every laboratory of the tests, for minutes or hours, in one table."""
