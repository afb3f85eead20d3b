"""Connections under one total deadline: plain, by TLS, through a proxy, and to where they may go."""
