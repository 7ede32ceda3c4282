"""Several nodes that train together: which one this is, how they follow each other, and what each runs."""
