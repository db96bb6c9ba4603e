"""What is made on AWS: a construct in each file."""
