"""From alerts to words: which alerts are one incident, and which messages say what of it.

Whom it concerns and when is decided in `rules.policy`; this finds out of what, and how it is said.
"""
