"""Score a run's reasoning by criteria, or its answers by the right ones, with a model behind an endpoint."""
