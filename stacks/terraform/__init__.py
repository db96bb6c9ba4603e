"""How Python becomes Terraform: addresses, variables, providers, the backend."""
