"""A model behind a client of the package openai: what that reaches can be evaluated."""
