"""Speed and memory against a floor and against peers; ``python -m benchmarks`` prints one table.

Nothing here is imported by the package. Every speed is a ratio between contestants that took turns
in one process, on the same text, so that a machine that warms up or is shared slows all of them.
"""
