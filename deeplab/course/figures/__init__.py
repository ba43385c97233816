"""Pictures of the lessons, one module per topic."""
