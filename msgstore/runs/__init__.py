"""Recorded runs: a command as a child process, what is kept of it, and what of its output is saved."""
