"""What a plan does to running jobs: the words of `python -m stacks.impact`. Plain Python.

The rules are Karpenter's, EKS's and Terraform's; each file names its sources.
"""
