"""How a Terraform condition is written: expressions, and rules of a few kinds. No rule of a subject. Plain Python."""
