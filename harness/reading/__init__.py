"""How a model's words are read: chain, containers, options, clauses, verdict (see README.md)."""
