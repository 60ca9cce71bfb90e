"""What happened: trees of causes, differences between runs, times between messages, rates."""
