"""The Slack side: hears messages, asks the worker, answers in the thread."""
