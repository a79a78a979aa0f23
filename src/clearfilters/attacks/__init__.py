"""Attacks on trained networks, white-box and black-box, and their detection."""
