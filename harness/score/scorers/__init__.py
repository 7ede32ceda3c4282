"""Ways to score an answer, each a function of a question and a text."""
