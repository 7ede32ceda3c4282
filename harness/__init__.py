"""The machinery: nouns, loop, extraction, scores, store and command line."""
