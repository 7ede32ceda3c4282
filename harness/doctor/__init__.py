"""`dtbench doctor`: what is installed, what works here, and what to install for what."""
