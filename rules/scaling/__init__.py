"""How many instances a service should have: a policy, what is seen, and a recommendation that gives its reasons."""
