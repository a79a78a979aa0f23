"""The parameters of a run, typed and validated, and the slice of them that shapes each result."""
