"""Score a run's reasoning chains against the criteria of each question, with a language model as the judge."""
