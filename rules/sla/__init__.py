"""Promises kept and broken: what a service was, second by second, and what that means for what was promised of it.

It is reckoned from what checks answered and hosts sent, at the time of the sample, and never from alerts: no `for`, no
silence and no acknowledgement bends it.
"""
