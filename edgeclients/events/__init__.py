"""Events that leave: the outbox, sent to a stream elsewhere."""
