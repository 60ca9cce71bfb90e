"""The journal at work: index, segments, catalog, sessions, commit, checkpoint, recovery, queries."""
