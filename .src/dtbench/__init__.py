"""dtbench: how well does a large audio-language model reason about what it hears?"""

__version__ = "0.1.0"
