"""The only code that defines Dagster objects."""
