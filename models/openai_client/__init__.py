"""Models that a client of the openai package reaches."""
