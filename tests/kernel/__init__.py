"""msgstore on the real kernel: system calls that fail or kill, power losses, many processes."""
