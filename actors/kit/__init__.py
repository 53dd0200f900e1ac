"""The actor kit: shards, lanes, batches, processes, timers and the relay."""
