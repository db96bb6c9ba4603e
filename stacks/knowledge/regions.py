"""How AWS names its regions and zones. Plain Python.

https://docs.aws.amazon.com/global-infrastructure/latest/regions/aws-regions.html
"""

REGION = r"[a-z]{2,4}(-[a-z]+)+-[0-9]{1,2}"
ZONE = r"[a-z]{2,4}(-[a-z]+)+-[0-9][a-z0-9-]*"

PARTITION = "aws"
"""The only partition in which the program works: its ARNs are hard-coded, and so is the public registry in us-east-1."""

# The beginnings of regions in aws-cn, aws-us-gov, aws-iso, aws-iso-b, aws-iso-f, aws-iso-e and aws-eusc.
OTHER_PARTITIONS = ("cn", "us-gov", "us-iso", "us-isob", "us-isof", "eu-isoe", "eusc")
