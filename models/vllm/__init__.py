"""A checkpoint behind `vllm serve`."""
