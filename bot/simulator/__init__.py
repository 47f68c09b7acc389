"""A Slack workspace on loopback: the real wire (Web API, Socket Mode, signed HTTP), for trying the bot out and for tests."""
