"""The bundled model: a Qwen3-Omni thinker with two million parameters, trained from scratch on generated sounds."""
