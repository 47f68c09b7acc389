"""What is known: labels, data, the store, and the networks with their scores."""
