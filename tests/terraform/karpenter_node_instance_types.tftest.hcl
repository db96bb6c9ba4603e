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
override_module {
  target  = module.karpenter
  outputs = { queue_name = "gpu" }
}

# As usual, AWS answers:

override_data {
  target = data.aws_availability_zones.available
  values = {"names": ["us-west-2a", "us-west-2b", "us-west-2c", "us-west-2d"], "zone_ids": ["usw2-az1", "usw2-az2", "usw2-az3", "usw2-az4"]}
}
override_data {
  target = data.aws_ec2_instance_type_offerings.gpu
  values = {"instance_types": ["p5.48xlarge", "p5.48xlarge", "p5.48xlarge", "p5.48xlarge"], "locations": ["us-west-2a", "us-west-2b", "us-west-2c", "us-west-2d"]}
}
override_data {
  target = data.aws_ec2_instance_type_offerings.node_group
  values = {"instance_types": ["m5.large", "m5.large", "m5.large", "m5.large"], "locations": ["us-west-2a", "us-west-2b", "us-west-2c", "us-west-2d"]}
}

# ["m5.large"] is taken
run "case_1_m5_large_is_taken" {
  command = plan

  variables {
    region = "us-west-2"
    gpu_instance_types = ["p5.48xlarge"]
    karpenter_node_instance_types = ["m5.large"]
  }
}

# ["m6i.large", "m7a.large"] is taken
run "case_2_m6i_large_m7a_large_is_taken" {
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

# ["g4dn.xlarge"] is taken
run "case_3_g4dn_xlarge_is_taken" {
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

# [] is refused
run "case_4_is_refused" {
  command = plan

  variables {
    region = "us-west-2"
    gpu_instance_types = ["p5.48xlarge"]
    karpenter_node_instance_types = []
  }
  expect_failures = [var.karpenter_node_instance_types]
}

# ["m5.large", "m5.large"] is refused
run "case_5_m5_large_m5_large_is_refused" {
  command = plan

  variables {
    region = "us-west-2"
    gpu_instance_types = ["p5.48xlarge"]
    karpenter_node_instance_types = ["m5.large", "m5.large"]
  }
  expect_failures = [var.karpenter_node_instance_types]
}

# ["m5"] is refused
run "case_6_m5_is_refused" {
  command = plan

  variables {
    region = "us-west-2"
    gpu_instance_types = ["p5.48xlarge"]
    karpenter_node_instance_types = ["m5"]
  }
  expect_failures = [var.karpenter_node_instance_types]
}

# ["m7g.large"] is refused
run "case_7_m7g_large_is_refused" {
  command = plan

  variables {
    region = "us-west-2"
    gpu_instance_types = ["p5.48xlarge"]
    karpenter_node_instance_types = ["m7g.large"]
  }
  expect_failures = [var.karpenter_node_instance_types]
}

# ["c6gn.large"] is refused
run "case_8_c6gn_large_is_refused" {
  command = plan

  variables {
    region = "us-west-2"
    gpu_instance_types = ["p5.48xlarge"]
    karpenter_node_instance_types = ["c6gn.large"]
  }
  expect_failures = [var.karpenter_node_instance_types]
}

# ["a1.large"] is refused
run "case_9_a1_large_is_refused" {
  command = plan

  variables {
    region = "us-west-2"
    gpu_instance_types = ["p5.48xlarge"]
    karpenter_node_instance_types = ["a1.large"]
  }
  expect_failures = [var.karpenter_node_instance_types]
}

# a zone without the type is warned of
run "case_10_a_zone_without_the_type_is_warned_of" {
  command = plan

  variables {
    region = "us-west-2"
    gpu_instance_types = ["p5.48xlarge"]
  }
  override_data {
    target = data.aws_ec2_instance_type_offerings.node_group
    values = {"instance_types": ["m5.large", "m5.large", "m5.large"], "locations": ["us-west-2a", "us-west-2b", "us-west-2c"]}
  }
  expect_failures = [check.node_group_types_are_offered]
}
