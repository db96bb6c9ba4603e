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

# ["p5.48xlarge"] is accepted
run "case_1_p5_48xlarge_is_accepted" {
  command = plan

  variables {
    region = "us-west-2"
    gpu_instance_types = ["p5.48xlarge"]
  }
}

# ["g6e.12xlarge", "p4d.24xlarge"] is accepted
run "case_2_g6e_12xlarge_p4d_24xlarge_is_accepted" {
  command = plan

  variables {
    region = "us-west-2"
    gpu_instance_types = ["g6e.12xlarge", "p4d.24xlarge"]
  }
  override_data {
    target = data.aws_ec2_instance_type_offerings.gpu
    values = {"instance_types": ["g6e.12xlarge", "g6e.12xlarge", "g6e.12xlarge", "g6e.12xlarge", "p4d.24xlarge", "p4d.24xlarge", "p4d.24xlarge", "p4d.24xlarge"], "locations": ["us-west-2a", "us-west-2b", "us-west-2c", "us-west-2d", "us-west-2a", "us-west-2b", "us-west-2c", "us-west-2d"]}
  }
}

# ["p6-b200.48xlarge", "g7e.48xlarge"] is accepted
run "case_3_p6_b200_48xlarge_g7e_48xlarge_is_accepted" {
  command = plan

  variables {
    region = "us-west-2"
    gpu_instance_types = ["p6-b200.48xlarge", "g7e.48xlarge"]
  }
  override_data {
    target = data.aws_ec2_instance_type_offerings.gpu
    values = {"instance_types": ["p6-b200.48xlarge", "p6-b200.48xlarge", "p6-b200.48xlarge", "p6-b200.48xlarge", "g7e.48xlarge", "g7e.48xlarge", "g7e.48xlarge", "g7e.48xlarge"], "locations": ["us-west-2a", "us-west-2b", "us-west-2c", "us-west-2d", "us-west-2a", "us-west-2b", "us-west-2c", "us-west-2d"]}
  }
}

# [] is refused
run "case_4_is_refused" {
  command = plan

  variables {
    region = "us-west-2"
    gpu_instance_types = []
  }
  expect_failures = [var.gpu_instance_types]
}

# [null] is refused
run "case_5_null_is_refused" {
  command = plan

  variables {
    region = "us-west-2"
    gpu_instance_types = [null]
  }
  expect_failures = [var.gpu_instance_types]
}

# ["p5.48xlarge", "p5.48xlarge"] is refused
run "case_6_p5_48xlarge_p5_48xlarge_is_refused" {
  command = plan

  variables {
    region = "us-west-2"
    gpu_instance_types = ["p5.48xlarge", "p5.48xlarge"]
  }
  override_data {
    target = data.aws_ec2_instance_type_offerings.gpu
    values = {"instance_types": ["p5.48xlarge", "p5.48xlarge", "p5.48xlarge", "p5.48xlarge", "p5.48xlarge", "p5.48xlarge", "p5.48xlarge", "p5.48xlarge"], "locations": ["us-west-2a", "us-west-2b", "us-west-2c", "us-west-2d", "us-west-2a", "us-west-2b", "us-west-2c", "us-west-2d"]}
  }
  expect_failures = [random_string.suffix]
}

# ["p5"] is refused
run "case_7_p5_is_refused" {
  command = plan

  variables {
    region = "us-west-2"
    gpu_instance_types = ["p5"]
  }
  override_data {
    target = data.aws_ec2_instance_type_offerings.gpu
    values = {"instance_types": ["p5", "p5", "p5", "p5"], "locations": ["us-west-2a", "us-west-2b", "us-west-2c", "us-west-2d"]}
  }
  expect_failures = [random_string.suffix]
}

# ["P5.48xlarge"] is refused
run "case_8_p5_48xlarge_is_refused" {
  command = plan

  variables {
    region = "us-west-2"
    gpu_instance_types = ["P5.48xlarge"]
  }
  override_data {
    target = data.aws_ec2_instance_type_offerings.gpu
    values = {"instance_types": ["P5.48xlarge", "P5.48xlarge", "P5.48xlarge", "P5.48xlarge"], "locations": ["us-west-2a", "us-west-2b", "us-west-2c", "us-west-2d"]}
  }
  expect_failures = [random_string.suffix]
}

# [""] is refused
run "case_9_is_refused" {
  command = plan

  variables {
    region = "us-west-2"
    gpu_instance_types = [""]
  }
  override_data {
    target = data.aws_ec2_instance_type_offerings.gpu
    values = {"instance_types": ["", "", "", ""], "locations": ["us-west-2a", "us-west-2b", "us-west-2c", "us-west-2d"]}
  }
  expect_failures = [random_string.suffix]
}

# ["p5.48xlarge", "g4ad.xlarge"] is refused
run "case_10_p5_48xlarge_g4ad_xlarge_is_refused" {
  command = plan

  variables {
    region = "us-west-2"
    gpu_instance_types = ["p5.48xlarge", "g4ad.xlarge"]
  }
  override_data {
    target = data.aws_ec2_instance_type_offerings.gpu
    values = {"instance_types": ["p5.48xlarge", "p5.48xlarge", "p5.48xlarge", "p5.48xlarge", "g4ad.xlarge", "g4ad.xlarge", "g4ad.xlarge", "g4ad.xlarge"], "locations": ["us-west-2a", "us-west-2b", "us-west-2c", "us-west-2d", "us-west-2a", "us-west-2b", "us-west-2c", "us-west-2d"]}
  }
  expect_failures = [random_string.suffix]
}

# ["m5.large"] is refused
run "case_11_m5_large_is_refused" {
  command = plan

  variables {
    region = "us-west-2"
    gpu_instance_types = ["m5.large"]
  }
  override_data {
    target = data.aws_ec2_instance_type_offerings.gpu
    values = {"instance_types": ["m5.large", "m5.large", "m5.large", "m5.large"], "locations": ["us-west-2a", "us-west-2b", "us-west-2c", "us-west-2d"]}
  }
  expect_failures = [random_string.suffix]
}

# ["c7i.48xlarge"] is refused
run "case_12_c7i_48xlarge_is_refused" {
  command = plan

  variables {
    region = "us-west-2"
    gpu_instance_types = ["c7i.48xlarge"]
  }
  override_data {
    target = data.aws_ec2_instance_type_offerings.gpu
    values = {"instance_types": ["c7i.48xlarge", "c7i.48xlarge", "c7i.48xlarge", "c7i.48xlarge"], "locations": ["us-west-2a", "us-west-2b", "us-west-2c", "us-west-2d"]}
  }
  expect_failures = [random_string.suffix]
}

# ["g6f.large"] is refused
run "case_13_g6f_large_is_refused" {
  command = plan

  variables {
    region = "us-west-2"
    gpu_instance_types = ["g6f.large"]
  }
  override_data {
    target = data.aws_ec2_instance_type_offerings.gpu
    values = {"instance_types": ["g6f.large", "g6f.large", "g6f.large", "g6f.large"], "locations": ["us-west-2a", "us-west-2b", "us-west-2c", "us-west-2d"]}
  }
  expect_failures = [random_string.suffix]
}

# ["gr6f.4xlarge"] is refused
run "case_14_gr6f_4xlarge_is_refused" {
  command = plan

  variables {
    region = "us-west-2"
    gpu_instance_types = ["gr6f.4xlarge"]
  }
  override_data {
    target = data.aws_ec2_instance_type_offerings.gpu
    values = {"instance_types": ["gr6f.4xlarge", "gr6f.4xlarge", "gr6f.4xlarge", "gr6f.4xlarge"], "locations": ["us-west-2a", "us-west-2b", "us-west-2c", "us-west-2d"]}
  }
  expect_failures = [random_string.suffix]
}

# ["g5g.xlarge"] is refused
run "case_15_g5g_xlarge_is_refused" {
  command = plan

  variables {
    region = "us-west-2"
    gpu_instance_types = ["g5g.xlarge"]
  }
  override_data {
    target = data.aws_ec2_instance_type_offerings.gpu
    values = {"instance_types": ["g5g.xlarge", "g5g.xlarge", "g5g.xlarge", "g5g.xlarge"], "locations": ["us-west-2a", "us-west-2b", "us-west-2c", "us-west-2d"]}
  }
  expect_failures = [random_string.suffix]
}

# ["p6e-gb200.36xlarge"] is refused
run "case_16_p6e_gb200_36xlarge_is_refused" {
  command = plan

  variables {
    region = "us-west-2"
    gpu_instance_types = ["p6e-gb200.36xlarge"]
  }
  override_data {
    target = data.aws_ec2_instance_type_offerings.gpu
    values = {"instance_types": ["p6e-gb200.36xlarge", "p6e-gb200.36xlarge", "p6e-gb200.36xlarge", "p6e-gb200.36xlarge"], "locations": ["us-west-2a", "us-west-2b", "us-west-2c", "us-west-2d"]}
  }
  expect_failures = [random_string.suffix]
}

# ["p7-gb300.36xlarge"] is refused
run "case_17_p7_gb300_36xlarge_is_refused" {
  command = plan

  variables {
    region = "us-west-2"
    gpu_instance_types = ["p7-gb300.36xlarge"]
  }
  override_data {
    target = data.aws_ec2_instance_type_offerings.gpu
    values = {"instance_types": ["p7-gb300.36xlarge", "p7-gb300.36xlarge", "p7-gb300.36xlarge", "p7-gb300.36xlarge"], "locations": ["us-west-2a", "us-west-2b", "us-west-2c", "us-west-2d"]}
  }
  expect_failures = [random_string.suffix]
}

# ["g6.xlarge", "g7.2xlarge"] is refused
run "case_18_g6_xlarge_g7_2xlarge_is_refused" {
  command = plan

  variables {
    region = "us-west-2"
    gpu_instance_types = ["g6.xlarge", "g7.2xlarge"]
  }
  override_data {
    target = data.aws_ec2_instance_type_offerings.gpu
    values = {"instance_types": ["g6.xlarge", "g6.xlarge", "g6.xlarge", "g6.xlarge", "g7.2xlarge", "g7.2xlarge", "g7.2xlarge", "g7.2xlarge"], "locations": ["us-west-2a", "us-west-2b", "us-west-2c", "us-west-2d", "us-west-2a", "us-west-2b", "us-west-2c", "us-west-2d"]}
  }
  expect_failures = [random_string.suffix]
}

# a size that EC2 does not have is refused
run "case_19_a_size_that_ec2_does_not_have_is_refused" {
  command = plan

  variables {
    region = "us-west-2"
    gpu_instance_types = ["p5.47xlarge"]
  }
  override_data {
    target = data.aws_ec2_instance_type_offerings.gpu
    values = {"instance_types": [], "locations": []}
  }
  expect_failures = [random_string.suffix]
}

# a size with a typing error is refused
run "case_20_a_size_with_a_typing_error_is_refused" {
  command = plan

  variables {
    region = "us-west-2"
    gpu_instance_types = ["g6.xlarg"]
  }
  override_data {
    target = data.aws_ec2_instance_type_offerings.gpu
    values = {"instance_types": [], "locations": []}
  }
  expect_failures = [random_string.suffix]
}

# a new size of a known family is warned of
run "case_21_a_new_size_of_a_known_family_is_warned_of" {
  command = plan

  variables {
    region = "us-west-2"
    gpu_instance_types = ["p5.24xlarge"]
  }
  override_data {
    target = data.aws_ec2_instance_type_offerings.gpu
    values = {"instance_types": ["p5.24xlarge", "p5.24xlarge", "p5.24xlarge", "p5.24xlarge"], "locations": ["us-west-2a", "us-west-2b", "us-west-2c", "us-west-2d"]}
  }
  expect_failures = [check.gpu_instance_types_are_known]
}

# a family that this program does not know is warned of
run "case_22_a_family_that_this_program_does_not_know_is_warned_of" {
  command = plan

  variables {
    region = "us-west-2"
    gpu_instance_types = ["p9.48xlarge"]
  }
  override_data {
    target = data.aws_ec2_instance_type_offerings.gpu
    values = {"instance_types": ["p9.48xlarge", "p9.48xlarge", "p9.48xlarge", "p9.48xlarge"], "locations": ["us-west-2a", "us-west-2b", "us-west-2c", "us-west-2d"]}
  }
  expect_failures = [check.gpu_instance_types_are_known]
}

# a type that two zones offer is accepted
run "case_23_a_type_that_two_zones_offer_is_accepted" {
  command = plan

  variables {
    region = "us-west-2"
    gpu_instance_types = ["p5.48xlarge"]
  }
  override_data {
    target = data.aws_ec2_instance_type_offerings.gpu
    values = {"instance_types": ["p5.48xlarge", "p5.48xlarge"], "locations": ["us-west-2c", "us-west-2d"]}
  }
}

# a type that one zone offers is warned of
run "case_24_a_type_that_one_zone_offers_is_warned_of" {
  command = plan

  variables {
    region = "us-west-2"
    gpu_instance_types = ["p5.48xlarge"]
  }
  override_data {
    target = data.aws_ec2_instance_type_offerings.gpu
    values = {"instance_types": ["p5.48xlarge"], "locations": ["us-west-2d"]}
  }
  expect_failures = [check.gpu_types_are_offered]
}

# a type that no zone offers is warned of
run "case_25_a_type_that_no_zone_offers_is_warned_of" {
  command = plan

  variables {
    region = "us-west-2"
    gpu_instance_types = ["p5.48xlarge"]
  }
  override_data {
    target = data.aws_ec2_instance_type_offerings.gpu
    values = {"instance_types": [], "locations": []}
  }
  expect_failures = [check.gpu_types_are_offered]
}
