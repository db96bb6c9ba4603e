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

# ["p5.48xlarge"] is taken
run "case_1_p5_48xlarge_is_taken" {
  command = plan

  variables {
    region = "us-west-2"
    gpu_instance_types = ["p5.48xlarge"]
  }
}

# ["g6e.12xlarge", "p4d.24xlarge"] is taken
run "case_2_g6e_12xlarge_p4d_24xlarge_is_taken" {
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

# ["p6-b200.48xlarge"] is taken
run "case_3_p6_b200_48xlarge_is_taken" {
  command = plan

  variables {
    region = "us-west-2"
    gpu_instance_types = ["p6-b200.48xlarge"]
  }
  override_data {
    target = data.aws_ec2_instance_type_offerings.gpu
    values = {"instance_types": ["p6-b200.48xlarge", "p6-b200.48xlarge", "p6-b200.48xlarge", "p6-b200.48xlarge"], "locations": ["us-west-2a", "us-west-2b", "us-west-2c", "us-west-2d"]}
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

# ["p5.48xlarge", "p5.48xlarge"] is refused
run "case_5_p5_48xlarge_p5_48xlarge_is_refused" {
  command = plan

  variables {
    region = "us-west-2"
    gpu_instance_types = ["p5.48xlarge", "p5.48xlarge"]
  }
  expect_failures = [var.gpu_instance_types]
}

# ["p5"] is refused
run "case_6_p5_is_refused" {
  command = plan

  variables {
    region = "us-west-2"
    gpu_instance_types = ["p5"]
  }
  expect_failures = [var.gpu_instance_types]
}

# ["P5.48xlarge"] is refused
run "case_7_p5_48xlarge_is_refused" {
  command = plan

  variables {
    region = "us-west-2"
    gpu_instance_types = ["P5.48xlarge"]
  }
  expect_failures = [var.gpu_instance_types]
}

# [""] is refused
run "case_8_is_refused" {
  command = plan

  variables {
    region = "us-west-2"
    gpu_instance_types = [""]
  }
  expect_failures = [var.gpu_instance_types]
}

# ["p5.48xlarge", "g4ad.xlarge"] is refused
run "case_9_p5_48xlarge_g4ad_xlarge_is_refused" {
  command = plan

  variables {
    region = "us-west-2"
    gpu_instance_types = ["p5.48xlarge", "g4ad.xlarge"]
  }
  expect_failures = [var.gpu_instance_types]
}

# ["g6f.large"] is refused
run "case_10_g6f_large_is_refused" {
  command = plan

  variables {
    region = "us-west-2"
    gpu_instance_types = ["g6f.large"]
  }
  expect_failures = [var.gpu_instance_types]
}

# ["gr6f.4xlarge"] is refused
run "case_11_gr6f_4xlarge_is_refused" {
  command = plan

  variables {
    region = "us-west-2"
    gpu_instance_types = ["gr6f.4xlarge"]
  }
  expect_failures = [var.gpu_instance_types]
}

# ["g5g.xlarge"] is refused
run "case_12_g5g_xlarge_is_refused" {
  command = plan

  variables {
    region = "us-west-2"
    gpu_instance_types = ["g5g.xlarge"]
  }
  expect_failures = [var.gpu_instance_types]
}

# a type that nobody here knows is warned of
run "case_13_a_type_that_nobody_here_knows_is_warned_of" {
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

# zones without a type are told
run "case_14_zones_without_a_type_are_told" {
  command = plan

  variables {
    region = "us-west-2"
    gpu_instance_types = ["p5.48xlarge"]
  }
  override_data {
    target = data.aws_ec2_instance_type_offerings.gpu
    values = {"instance_types": ["p5.48xlarge", "p5.48xlarge"], "locations": ["us-west-2c", "us-west-2d"]}
  }
  expect_failures = [check.gpu_types_are_offered]
}

# a region without a type is told
run "case_15_a_region_without_a_type_is_told" {
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
