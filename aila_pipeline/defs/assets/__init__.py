"""The assets: a file each, and the shape that those of a shard share (shard_stage.py)."""
