"""The rules decide: they turn samples into verdicts, transitions, incidents and owed notices.

They are pure: no input, no output, no clock (`now` is always an argument), so that the same code judges the
present, replays last month and runs in a test. They import msgspec, numpy, the pure part of the standard
library and themselves; neither `agent` nor `collector`.
"""
