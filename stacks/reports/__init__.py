"""What a configuration means to its user: what a synthesis prints. Plain Python."""
