"""How hosts come in: codes that let them join, the door where they do, and the installer that brings the agent."""
