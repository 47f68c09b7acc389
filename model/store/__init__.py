"""The database: the truth about messages, judgements, runs and versions; queues only carry it."""
