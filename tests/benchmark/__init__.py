"""What `scripts/bench` and `scripts/scale` run: the same work by msgstore and by its peers, in turn."""
