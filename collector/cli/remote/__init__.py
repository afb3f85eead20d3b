"""The commands that speak to a collector, this machine's or another, over its HTTP API: there is one judge, and what is
done here is done before it, with the rights of whose token it is."""
