"""What the product costs, measured with every process real. Numbers are wall-clock seconds unless named."""
