"""Stores: the protocol, the registry by URL scheme, and one module per kind of store."""
