"""How the sample calls of the package are made; README.md says how to run it."""
