"""What the `watchkeeper` command says and asks at a terminal, one file per subject."""
