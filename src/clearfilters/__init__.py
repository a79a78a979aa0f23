"""Training, measuring and comparing CNNs whose filters can be read."""
