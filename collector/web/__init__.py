"""The pages that people look at: rendered on the server, complete without JavaScript, live with it."""
