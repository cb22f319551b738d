"""What survives: SIGKILL at any moment, and a full disk."""
