"""A gallery of a network's filters: which classes, which parts and which regions they stand for."""
