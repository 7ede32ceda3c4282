"""Is it better? Two runs over the same questions, question by question."""
