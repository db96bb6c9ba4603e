"""How Terraform is spoken: addresses, variables, providers, the backend."""
