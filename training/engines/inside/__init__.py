"""The plug-in that runs in ms-swift's own process and environment: rewards, gradients, a template."""
