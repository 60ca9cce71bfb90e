"""The nouns: messages, filters, expectations, sessions, errors. Nothing here knows of files."""
