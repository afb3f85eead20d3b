"""What follows: from a batch, from the passing of time, from what came late, and from what a person does.

`judge`, `tick`, `repair`, `slow` and `acts` are the ways in: each reads a Watch, changes nothing and returns an
Outcome. Below them stand `engine` (one rule over one series), `plans` (which rules look at what) and `record` (what
changed, written into the outcome).
"""
