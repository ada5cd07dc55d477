"""Scripts that measure the whole pipeline; their figures stand in docs/benchmarks.md."""
