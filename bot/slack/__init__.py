"""The `bot` process: hears Slack, saves what came, and enqueues what follows."""
