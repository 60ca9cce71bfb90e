"""How things look on a terminal: the only place that knows rich."""
