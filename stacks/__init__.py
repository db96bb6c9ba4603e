"""The stack and its constructs."""
