"""The pictures of the docs, made anew from a demo home: `python -m tools.screenshots`."""
