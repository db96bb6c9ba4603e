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

# "10.0.0.0/16" is accepted
run "case_1_10_0_0_0_16_is_accepted" {
  command = plan

  variables {
    region = "us-west-2"
    gpu_instance_types = ["p5.48xlarge"]
    vpc_cidr = "10.0.0.0/16"
  }
}

# "10.1.32.0/19" is accepted
run "case_2_10_1_32_0_19_is_accepted" {
  command = plan

  variables {
    region = "us-west-2"
    gpu_instance_types = ["p5.48xlarge"]
    vpc_cidr = "10.1.32.0/19"
  }
}

# "172.31.0.0/16" is accepted
run "case_3_172_31_0_0_16_is_accepted" {
  command = plan

  variables {
    region = "us-west-2"
    gpu_instance_types = ["p5.48xlarge"]
    vpc_cidr = "172.31.0.0/16"
  }
}

# "192.168.0.0/18" is accepted
run "case_4_192_168_0_0_18_is_accepted" {
  command = plan

  variables {
    region = "us-west-2"
    gpu_instance_types = ["p5.48xlarge"]
    vpc_cidr = "192.168.0.0/18"
  }
}

# "100.127.0.0/16" is accepted
run "case_5_100_127_0_0_16_is_accepted" {
  command = plan

  variables {
    region = "us-west-2"
    gpu_instance_types = ["p5.48xlarge"]
    vpc_cidr = "100.127.0.0/16"
  }
}

# "10.0.0.0/15" is refused
run "case_6_10_0_0_0_15_is_refused" {
  command = plan

  variables {
    region = "us-west-2"
    gpu_instance_types = ["p5.48xlarge"]
    vpc_cidr = "10.0.0.0/15"
  }
  expect_failures = [var.vpc_cidr]
}

# "10.0.0.0/21" is refused
run "case_7_10_0_0_0_21_is_refused" {
  command = plan

  variables {
    region = "us-west-2"
    gpu_instance_types = ["p5.48xlarge"]
    vpc_cidr = "10.0.0.0/21"
  }
  expect_failures = [var.vpc_cidr]
}

# "10.0.0.0/8" is refused
run "case_8_10_0_0_0_8_is_refused" {
  command = plan

  variables {
    region = "us-west-2"
    gpu_instance_types = ["p5.48xlarge"]
    vpc_cidr = "10.0.0.0/8"
  }
  expect_failures = [var.vpc_cidr]
}

# "10.0.1.0/16" is refused
run "case_9_10_0_1_0_16_is_refused" {
  command = plan

  variables {
    region = "us-west-2"
    gpu_instance_types = ["p5.48xlarge"]
    vpc_cidr = "10.0.1.0/16"
  }
  expect_failures = [var.vpc_cidr]
}

# "10.0.0.0" is refused
run "case_10_10_0_0_0_is_refused" {
  command = plan

  variables {
    region = "us-west-2"
    gpu_instance_types = ["p5.48xlarge"]
    vpc_cidr = "10.0.0.0"
  }
  expect_failures = [var.vpc_cidr]
}

# "10.0.0.300/16" is refused
run "case_11_10_0_0_300_16_is_refused" {
  command = plan

  variables {
    region = "us-west-2"
    gpu_instance_types = ["p5.48xlarge"]
    vpc_cidr = "10.0.0.300/16"
  }
  expect_failures = [var.vpc_cidr]
}

# "fd00::/16" is refused
run "case_12_fd00_16_is_refused" {
  command = plan

  variables {
    region = "us-west-2"
    gpu_instance_types = ["p5.48xlarge"]
    vpc_cidr = "fd00::/16"
  }
  expect_failures = [var.vpc_cidr]
}

# "" is refused
run "case_13_is_refused" {
  command = plan

  variables {
    region = "us-west-2"
    gpu_instance_types = ["p5.48xlarge"]
    vpc_cidr = ""
  }
  expect_failures = [var.vpc_cidr]
}

# "127.16.0.0/16" is refused
run "case_14_127_16_0_0_16_is_refused" {
  command = plan

  variables {
    region = "us-west-2"
    gpu_instance_types = ["p5.48xlarge"]
    vpc_cidr = "127.16.0.0/16"
  }
  expect_failures = [var.vpc_cidr]
}

# "0.16.0.0/16" is refused
run "case_15_0_16_0_0_16_is_refused" {
  command = plan

  variables {
    region = "us-west-2"
    gpu_instance_types = ["p5.48xlarge"]
    vpc_cidr = "0.16.0.0/16"
  }
  expect_failures = [var.vpc_cidr]
}

# "169.254.0.0/16" is refused
run "case_16_169_254_0_0_16_is_refused" {
  command = plan

  variables {
    region = "us-west-2"
    gpu_instance_types = ["p5.48xlarge"]
    vpc_cidr = "169.254.0.0/16"
  }
  expect_failures = [var.vpc_cidr]
}

# "239.1.0.0/16" is refused
run "case_17_239_1_0_0_16_is_refused" {
  command = plan

  variables {
    region = "us-west-2"
    gpu_instance_types = ["p5.48xlarge"]
    vpc_cidr = "239.1.0.0/16"
  }
  expect_failures = [var.vpc_cidr]
}

# a public network is warned of
run "case_18_a_public_network_is_warned_of" {
  command = plan

  variables {
    region = "us-west-2"
    gpu_instance_types = ["p5.48xlarge"]
    vpc_cidr = "11.0.0.0/16"
  }
  expect_failures = [check.vpc_cidr_is_private]
}

# 126 is warned of
run "case_19_126_is_warned_of" {
  command = plan

  variables {
    region = "us-west-2"
    gpu_instance_types = ["p5.48xlarge"]
    vpc_cidr = "126.0.0.0/16"
  }
  expect_failures = [check.vpc_cidr_is_private]
}

# 169.253 is warned of
run "case_20_169_253_is_warned_of" {
  command = plan

  variables {
    region = "us-west-2"
    gpu_instance_types = ["p5.48xlarge"]
    vpc_cidr = "169.253.0.0/16"
  }
  expect_failures = [check.vpc_cidr_is_private]
}

# 172.32 is warned of
run "case_21_172_32_is_warned_of" {
  command = plan

  variables {
    region = "us-west-2"
    gpu_instance_types = ["p5.48xlarge"]
    vpc_cidr = "172.32.0.0/16"
  }
  expect_failures = [check.vpc_cidr_is_private]
}

# 100.128 is warned of
run "case_22_100_128_is_warned_of" {
  command = plan

  variables {
    region = "us-west-2"
    gpu_instance_types = ["p5.48xlarge"]
    vpc_cidr = "100.128.0.0/16"
  }
  expect_failures = [check.vpc_cidr_is_private]
}

# a network without room for load balancers is warned of
run "case_23_a_network_without_room_for_load_balancers_is_warned_of" {
  command = plan

  variables {
    region = "us-west-2"
    gpu_instance_types = ["p5.48xlarge"]
    vpc_cidr = "10.1.16.0/20"
  }
  expect_failures = [check.vpc_cidr_has_room_for_load_balancers]
}
