"""Tables, figures, claims and the page of a run, made from recorded measurements alone."""
