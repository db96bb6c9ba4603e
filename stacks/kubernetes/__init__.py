"""What is made in the cluster: Helm releases and Karpenter's objects, with the IAM that they need."""
