"""What must not leave, and what must: a labelled set, properties, and how fast it is found."""
