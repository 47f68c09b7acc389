"""How a version is made: data, training, evaluation, and the gate that lets it go live."""
