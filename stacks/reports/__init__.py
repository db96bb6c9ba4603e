"""What a configuration means: what a synthesis prints. Plain Python."""
