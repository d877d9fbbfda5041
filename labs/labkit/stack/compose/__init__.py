"""The compose lane. What touches Docker is here and nowhere else."""
