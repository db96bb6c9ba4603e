"""The program: see main.py for the clusters, and `karpenter_stack.py` for what is in a stack."""
