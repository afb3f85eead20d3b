"""What the collector answers to programs."""
