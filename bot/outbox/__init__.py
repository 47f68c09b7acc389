"""The `replies` process: says to Slack what is owed, once, at the rate that Slack allows."""
