"""How long room lasts, what is larger than it need be, and what holds a host back now: advice upon numbers alone."""
