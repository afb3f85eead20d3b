"""What looks after the collector itself: its rounds, its clock, its logs, when it was there, and its signs of life."""
