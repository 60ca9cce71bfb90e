"""Messages in other people's formats, out and in."""
