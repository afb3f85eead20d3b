"""Programs that run for as long as you like, while their memory, descriptors and threads are counted.

`python -m tests.system.soak agent --minutes 20`, or `collector`; the short forms are tests. Exit code 0 when nothing
grows, 1 when something does.
"""
