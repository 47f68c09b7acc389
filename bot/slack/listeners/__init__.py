"""One file per surface of Slack. A listener reads, saves, enqueues, and stops."""
