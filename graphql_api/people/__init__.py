"""People at the edge."""
