"""Readers of raw data sets, the processed store and augmentation."""
