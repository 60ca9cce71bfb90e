"""A store that somebody else made, and a user who has something to hide."""
