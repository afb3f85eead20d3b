"""What is seen only by looking at several hosts: how many are silent, what neighbours reach, what many of them ask."""
