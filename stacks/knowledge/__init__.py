"""What AWS, EKS, Karpenter and Bottlerocket offer: a file for each table, with its source and date. Plain Python."""
