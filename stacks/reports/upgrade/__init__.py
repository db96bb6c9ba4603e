"""What of an upgrade remains for a deployed cluster, and what each step does: the words of `make upgrade-plan`. Plain Python."""
