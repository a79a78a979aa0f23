"""Measurements of trained models: arrays in, numbers out, no torch."""
