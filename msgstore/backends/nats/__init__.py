"""The store on NATS JetStream: an asyncio core, and a synchronous face over it. Only for `nats:` URLs."""
