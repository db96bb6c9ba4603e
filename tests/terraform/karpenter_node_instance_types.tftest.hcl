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

# ["m5.large"] is accepted
run "case_1_m5_large_is_accepted" {
  command = plan

  variables {
    region = "us-west-2"
    gpu_instance_types = ["p5.48xlarge"]
    karpenter_node_instance_types = ["m5.large"]
  }
}

# ["m6i.large", "m7a.large"] is accepted
run "case_2_m6i_large_m7a_large_is_accepted" {
  command = plan

  variables {
    region = "us-west-2"
    gpu_instance_types = ["p5.48xlarge"]
    karpenter_node_instance_types = ["m6i.large", "m7a.large"]
  }
  override_data {
    target = data.aws_ec2_instance_type_offerings.node_group
    values = {"instance_types": ["m6i.large", "m6i.large", "m6i.large", "m6i.large", "m7a.large", "m7a.large", "m7a.large", "m7a.large"], "locations": ["us-west-2a", "us-west-2b", "us-west-2c", "us-west-2d", "us-west-2a", "us-west-2b", "us-west-2c", "us-west-2d"]}
  }
}

# ["g4dn.xlarge"] is accepted
run "case_3_g4dn_xlarge_is_accepted" {
  command = plan

  variables {
    region = "us-west-2"
    gpu_instance_types = ["p5.48xlarge"]
    karpenter_node_instance_types = ["g4dn.xlarge"]
  }
  override_data {
    target = data.aws_ec2_instance_type_offerings.node_group
    values = {"instance_types": ["g4dn.xlarge", "g4dn.xlarge", "g4dn.xlarge", "g4dn.xlarge"], "locations": ["us-west-2a", "us-west-2b", "us-west-2c", "us-west-2d"]}
  }
}

# ["t3.small"] is accepted
run "case_4_t3_small_is_accepted" {
  command = plan

  variables {
    region = "us-west-2"
    gpu_instance_types = ["p5.48xlarge"]
    karpenter_node_instance_types = ["t3.small"]
  }
  override_data {
    target = data.aws_ec2_instance_type_offerings.node_group
    values = {"instance_types": ["t3.small", "t3.small", "t3.small", "t3.small"], "locations": ["us-west-2a", "us-west-2b", "us-west-2c", "us-west-2d"]}
  }
}

# [] is refused
run "case_5_is_refused" {
  command = plan

  variables {
    region = "us-west-2"
    gpu_instance_types = ["p5.48xlarge"]
    karpenter_node_instance_types = []
  }
  expect_failures = [var.karpenter_node_instance_types]
}

# [null] is refused
run "case_6_null_is_refused" {
  command = plan

  variables {
    region = "us-west-2"
    gpu_instance_types = ["p5.48xlarge"]
    karpenter_node_instance_types = [null]
  }
  expect_failures = [var.karpenter_node_instance_types]
}

# ["m5.large", "m5.large"] is refused
run "case_7_m5_large_m5_large_is_refused" {
  command = plan

  variables {
    region = "us-west-2"
    gpu_instance_types = ["p5.48xlarge"]
    karpenter_node_instance_types = ["m5.large", "m5.large"]
  }
  override_data {
    target = data.aws_ec2_instance_type_offerings.node_group
    values = {"instance_types": ["m5.large", "m5.large", "m5.large", "m5.large", "m5.large", "m5.large", "m5.large", "m5.large"], "locations": ["us-west-2a", "us-west-2b", "us-west-2c", "us-west-2d", "us-west-2a", "us-west-2b", "us-west-2c", "us-west-2d"]}
  }
  expect_failures = [random_string.suffix]
}

# ["m5"] is refused
run "case_8_m5_is_refused" {
  command = plan

  variables {
    region = "us-west-2"
    gpu_instance_types = ["p5.48xlarge"]
    karpenter_node_instance_types = ["m5"]
  }
  override_data {
    target = data.aws_ec2_instance_type_offerings.node_group
    values = {"instance_types": ["m5", "m5", "m5", "m5"], "locations": ["us-west-2a", "us-west-2b", "us-west-2c", "us-west-2d"]}
  }
  expect_failures = [random_string.suffix]
}

# ["m7g.large"] is refused
run "case_9_m7g_large_is_refused" {
  command = plan

  variables {
    region = "us-west-2"
    gpu_instance_types = ["p5.48xlarge"]
    karpenter_node_instance_types = ["m7g.large"]
  }
  override_data {
    target = data.aws_ec2_instance_type_offerings.node_group
    values = {"instance_types": ["m7g.large", "m7g.large", "m7g.large", "m7g.large"], "locations": ["us-west-2a", "us-west-2b", "us-west-2c", "us-west-2d"]}
  }
  expect_failures = [random_string.suffix]
}

# ["c6gn.large"] is refused
run "case_10_c6gn_large_is_refused" {
  command = plan

  variables {
    region = "us-west-2"
    gpu_instance_types = ["p5.48xlarge"]
    karpenter_node_instance_types = ["c6gn.large"]
  }
  override_data {
    target = data.aws_ec2_instance_type_offerings.node_group
    values = {"instance_types": ["c6gn.large", "c6gn.large", "c6gn.large", "c6gn.large"], "locations": ["us-west-2a", "us-west-2b", "us-west-2c", "us-west-2d"]}
  }
  expect_failures = [random_string.suffix]
}

# ["a1.large"] is refused
run "case_11_a1_large_is_refused" {
  command = plan

  variables {
    region = "us-west-2"
    gpu_instance_types = ["p5.48xlarge"]
    karpenter_node_instance_types = ["a1.large"]
  }
  override_data {
    target = data.aws_ec2_instance_type_offerings.node_group
    values = {"instance_types": ["a1.large", "a1.large", "a1.large", "a1.large"], "locations": ["us-west-2a", "us-west-2b", "us-west-2c", "us-west-2d"]}
  }
  expect_failures = [random_string.suffix]
}

# ["t3.micro"] is refused
run "case_12_t3_micro_is_refused" {
  command = plan

  variables {
    region = "us-west-2"
    gpu_instance_types = ["p5.48xlarge"]
    karpenter_node_instance_types = ["t3.micro"]
  }
  override_data {
    target = data.aws_ec2_instance_type_offerings.node_group
    values = {"instance_types": ["t3.micro", "t3.micro", "t3.micro", "t3.micro"], "locations": ["us-west-2a", "us-west-2b", "us-west-2c", "us-west-2d"]}
  }
  expect_failures = [random_string.suffix]
}

# ["m5.large", "t3a.nano"] is refused
run "case_13_m5_large_t3a_nano_is_refused" {
  command = plan

  variables {
    region = "us-west-2"
    gpu_instance_types = ["p5.48xlarge"]
    karpenter_node_instance_types = ["m5.large", "t3a.nano"]
  }
  override_data {
    target = data.aws_ec2_instance_type_offerings.node_group
    values = {"instance_types": ["m5.large", "m5.large", "m5.large", "m5.large", "t3a.nano", "t3a.nano", "t3a.nano", "t3a.nano"], "locations": ["us-west-2a", "us-west-2b", "us-west-2c", "us-west-2d", "us-west-2a", "us-west-2b", "us-west-2c", "us-west-2d"]}
  }
  expect_failures = [random_string.suffix]
}

# a zone without the type is refused
run "case_14_a_zone_without_the_type_is_refused" {
  command = plan

  variables {
    region = "us-west-2"
    gpu_instance_types = ["p5.48xlarge"]
  }
  override_data {
    target = data.aws_ec2_instance_type_offerings.node_group
    values = {"instance_types": ["m5.large", "m5.large", "m5.large"], "locations": ["us-west-2a", "us-west-2b", "us-west-2c"]}
  }
  expect_failures = [random_string.suffix]
}

# a region without the type is refused
run "case_15_a_region_without_the_type_is_refused" {
  command = plan

  variables {
    region = "us-west-2"
    gpu_instance_types = ["p5.48xlarge"]
  }
  override_data {
    target = data.aws_ec2_instance_type_offerings.node_group
    values = {"instance_types": [], "locations": []}
  }
  expect_failures = [random_string.suffix]
}
