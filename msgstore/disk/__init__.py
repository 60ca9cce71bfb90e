"""The only door to the disk: every system call on a store's files is made in here."""
