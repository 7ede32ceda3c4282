"""Several nodes that train together: which one this is, the files by which they follow each other, and what each runs."""
