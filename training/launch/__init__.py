"""Files that start `dtbench train` on every node of a cluster: for SLURM, Kubernetes and Ray."""
