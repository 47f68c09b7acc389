"""How a version answers: text in, labels and probabilities out."""
