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

# 2, 2 and 3 are accepted
run "case_1_2_2_and_3_are_accepted" {
  command = plan

  variables {
    region = "us-west-2"
    gpu_instance_types = ["p5.48xlarge"]
    karpenter_node_min_size = 2
    karpenter_node_desired_size = 2
    karpenter_node_max_size = 3
  }
}

# three times 2 is accepted
run "case_2_three_times_2_is_accepted" {
  command = plan

  variables {
    region = "us-west-2"
    gpu_instance_types = ["p5.48xlarge"]
    karpenter_node_min_size = 2
    karpenter_node_desired_size = 2
    karpenter_node_max_size = 2
  }
}

# as many as EKS can count are accepted
run "case_3_as_many_as_eks_can_count_are_accepted" {
  command = plan

  variables {
    region = "us-west-2"
    gpu_instance_types = ["p5.48xlarge"]
    karpenter_node_min_size = 2
    karpenter_node_desired_size = 2
    karpenter_node_max_size = 2147483647
  }
}

# 0 nodes are refused
run "case_4_0_nodes_are_refused" {
  command = plan

  variables {
    region = "us-west-2"
    gpu_instance_types = ["p5.48xlarge"]
    karpenter_node_min_size = 0
    karpenter_node_desired_size = 2
    karpenter_node_max_size = 3
  }
  expect_failures = [random_string.suffix]
}

# a part of a node is refused
run "case_5_a_part_of_a_node_is_refused" {
  command = plan

  variables {
    region = "us-west-2"
    gpu_instance_types = ["p5.48xlarge"]
    karpenter_node_min_size = 2
    karpenter_node_desired_size = 2.5
    karpenter_node_max_size = 3
  }
  expect_failures = [random_string.suffix]
}

# a largest size with a part of a node is refused
run "case_6_a_largest_size_with_a_part_of_a_node_is_refused" {
  command = plan

  variables {
    region = "us-west-2"
    gpu_instance_types = ["p5.48xlarge"]
    karpenter_node_min_size = 2
    karpenter_node_desired_size = 2
    karpenter_node_max_size = 2.5
  }
  expect_failures = [random_string.suffix]
}

# more nodes than EKS can count are refused
run "case_7_more_nodes_than_eks_can_count_are_refused" {
  command = plan

  variables {
    region = "us-west-2"
    gpu_instance_types = ["p5.48xlarge"]
    karpenter_node_min_size = 2
    karpenter_node_desired_size = 2
    karpenter_node_max_size = 3000000000
  }
  expect_failures = [random_string.suffix]
}

# too few desired nodes are refused
run "case_8_too_few_desired_nodes_are_refused" {
  command = plan

  variables {
    region = "us-west-2"
    gpu_instance_types = ["p5.48xlarge"]
    karpenter_node_min_size = 3
    karpenter_node_desired_size = 2
    karpenter_node_max_size = 4
  }
  expect_failures = [random_string.suffix]
}

# too many desired nodes are refused
run "case_9_too_many_desired_nodes_are_refused" {
  command = plan

  variables {
    region = "us-west-2"
    gpu_instance_types = ["p5.48xlarge"]
    karpenter_node_min_size = 2
    karpenter_node_desired_size = 5
    karpenter_node_max_size = 4
  }
  expect_failures = [random_string.suffix]
}

# a smallest size above the largest is refused
run "case_10_a_smallest_size_above_the_largest_is_refused" {
  command = plan

  variables {
    region = "us-west-2"
    gpu_instance_types = ["p5.48xlarge"]
    karpenter_node_min_size = 5
    karpenter_node_desired_size = 5
    karpenter_node_max_size = 4
  }
  expect_failures = [random_string.suffix]
}

# one node is warned of
run "case_11_one_node_is_warned_of" {
  command = plan

  variables {
    region = "us-west-2"
    gpu_instance_types = ["p5.48xlarge"]
    karpenter_node_min_size = 1
    karpenter_node_desired_size = 2
    karpenter_node_max_size = 3
  }
  expect_failures = [check.karpenter_is_highly_available]
}
