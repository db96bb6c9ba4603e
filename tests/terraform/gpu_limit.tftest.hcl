# Written by `make golden` from tests/cases.py. `make test-rules` runs it: with Terraform 1.7 or newer, without an AWS account.

mock_provider "aws" {}
mock_provider "aws" {
  alias = "virginia"
}
mock_provider "helm" {}
mock_provider "kubernetes" {}
mock_provider "kubectl" {}
mock_provider "random" {}

override_module {
  target = module.vpc
  outputs = {
    vpc_id          = "vpc-1"
    private_subnets = ["p0", "p1", "p2", "p3", "p4", "p5", "p6", "p7", "p8"]
    intra_subnets   = ["i0", "i1", "i2", "i3", "i4", "i5", "i6", "i7", "i8"]
  }
}
override_module {
  target = module.eks
  outputs = {
    cluster_name                       = "gpu"
    cluster_endpoint                   = "https://gpu.example"
    cluster_version                    = "1.33"
    cluster_certificate_authority_data = "Z3B1"
  }
}
override_resource {
  target = random_string.suffix
  values = { result = "zz9x" }
}
override_module {
  target  = module.karpenter
  outputs = { queue_name = "gpu" }
}

# What AWS answers by default:

override_data {
  target = data.aws_availability_zones.available
  values = {"names": ["us-west-2a", "us-west-2b", "us-west-2c", "us-west-2d"], "zone_ids": ["usw2-az1", "usw2-az2", "usw2-az3", "usw2-az4"]}
}
override_data {
  target = data.aws_iam_roles.spot
  values = {"names": ["AWSServiceRoleForEC2Spot"]}
}
override_data {
  target = data.aws_eks_clusters.existing
  values = {"names": []}
}
override_data {
  target = data.aws_eks_cluster.existing
  values = {"version": "1.33"}
}
override_data {
  target = data.aws_ec2_instance_type_offerings.gpu
  values = {"instance_types": ["p5.48xlarge", "p5.48xlarge", "p5.48xlarge", "p5.48xlarge"], "locations": ["us-west-2a", "us-west-2b", "us-west-2c", "us-west-2d"]}
}
override_data {
  target = data.aws_ec2_instance_type_offerings.node_group
  values = {"instance_types": ["m5.large", "m5.large", "m5.large", "m5.large"], "locations": ["us-west-2a", "us-west-2b", "us-west-2c", "us-west-2d"]}
}

# null is accepted
run "case_1_null_is_accepted" {
  command = plan

  variables {
    region = "us-west-2"
    gpu_instance_types = ["p5.48xlarge"]
    gpu_limit = null
  }
}

# 8 is accepted
run "case_2_8_is_accepted" {
  command = plan

  variables {
    region = "us-west-2"
    gpu_instance_types = ["p5.48xlarge"]
    gpu_limit = 8
  }
}

# 64 is accepted
run "case_3_64_is_accepted" {
  command = plan

  variables {
    region = "us-west-2"
    gpu_instance_types = ["p5.48xlarge"]
    gpu_limit = 64
  }
}

# 2147483647 is accepted
run "case_4_2147483647_is_accepted" {
  command = plan

  variables {
    region = "us-west-2"
    gpu_instance_types = ["p5.48xlarge"]
    gpu_limit = 2147483647
  }
}

# one GPU is enough for a node of one
run "case_5_one_gpu_is_enough_for_a_node_of_one" {
  command = plan

  variables {
    region = "us-west-2"
    gpu_instance_types = ["g6e.xlarge", "p5.48xlarge"]
    gpu_limit = 1
  }
  override_data {
    target = data.aws_ec2_instance_type_offerings.gpu
    values = {"instance_types": ["g6e.xlarge", "g6e.xlarge", "g6e.xlarge", "g6e.xlarge", "p5.48xlarge", "p5.48xlarge", "p5.48xlarge", "p5.48xlarge"], "locations": ["us-west-2a", "us-west-2b", "us-west-2c", "us-west-2d", "us-west-2a", "us-west-2b", "us-west-2c", "us-west-2d"]}
  }
}

# a type that this program does not know counts as one GPU
run "case_6_a_type_that_this_program_does_not_know_counts_as_one_gpu" {
  command = plan

  variables {
    region = "us-west-2"
    gpu_instance_types = ["p5.24xlarge"]
    gpu_limit = 1
  }
  override_data {
    target = data.aws_ec2_instance_type_offerings.gpu
    values = {"instance_types": ["p5.24xlarge", "p5.24xlarge", "p5.24xlarge", "p5.24xlarge"], "locations": ["us-west-2a", "us-west-2b", "us-west-2c", "us-west-2d"]}
  }
  expect_failures = [check.gpu_instance_types_are_known]
}

# 0 is refused
run "case_7_0_is_refused" {
  command = plan

  variables {
    region = "us-west-2"
    gpu_instance_types = ["p5.48xlarge"]
    gpu_limit = 0
  }
  expect_failures = [var.gpu_limit]
}

# -8 is refused
run "case_8_8_is_refused" {
  command = plan

  variables {
    region = "us-west-2"
    gpu_instance_types = ["p5.48xlarge"]
    gpu_limit = -8
  }
  expect_failures = [var.gpu_limit]
}

# 1.5 is refused
run "case_9_1_5_is_refused" {
  command = plan

  variables {
    region = "us-west-2"
    gpu_instance_types = ["p5.48xlarge"]
    gpu_limit = 1.5
  }
  expect_failures = [var.gpu_limit]
}

# 2147483648 is refused
run "case_10_2147483648_is_refused" {
  command = plan

  variables {
    region = "us-west-2"
    gpu_instance_types = ["p5.48xlarge"]
    gpu_limit = 2147483648
  }
  expect_failures = [random_string.suffix]
}

# 7 is refused
run "case_11_7_is_refused" {
  command = plan

  variables {
    region = "us-west-2"
    gpu_instance_types = ["p5.48xlarge"]
    gpu_limit = 7
  }
  expect_failures = [random_string.suffix]
}
