"""Commands that act on what was synthesized or deployed. Plain Python."""
