"""The papers' ideas and nothing else: no files, no training loop."""
