"""One file, one outside thing. Nothing here knows Dagster."""
