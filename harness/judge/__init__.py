"""How well was it reasoned? A language model holds each chain against the criteria of its question."""
