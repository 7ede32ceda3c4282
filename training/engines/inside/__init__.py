"""What runs within ms-swift's own process and environment: rewards, and a watch over what is learnt from."""
