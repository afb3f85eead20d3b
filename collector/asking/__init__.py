"""What agents are asked in the answers to their pushes, as they open no port: to look closer, to sample at once, to
look at another host, and to run the checks that the config has for them."""
