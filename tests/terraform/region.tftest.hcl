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

# "us-west-2" is accepted
run "case_1_us_west_2_is_accepted" {
  command = plan

  variables {
    region = "us-west-2"
    gpu_instance_types = ["p5.48xlarge"]
  }
}

# "ap-southeast-5" is accepted
run "case_2_ap_southeast_5_is_accepted" {
  command = plan

  variables {
    region = "ap-southeast-5"
    gpu_instance_types = ["p5.48xlarge"]
  }
}

# "mx-central-1" is accepted
run "case_3_mx_central_1_is_accepted" {
  command = plan

  variables {
    region = "mx-central-1"
    gpu_instance_types = ["p5.48xlarge"]
  }
}

# "US-West-2" is refused
run "case_4_us_west_2_is_refused" {
  command = plan

  variables {
    region = "US-West-2"
    gpu_instance_types = ["p5.48xlarge"]
  }
  expect_failures = [var.region]
}

# "us-west-2a" is refused
run "case_5_us_west_2a_is_refused" {
  command = plan

  variables {
    region = "us-west-2a"
    gpu_instance_types = ["p5.48xlarge"]
  }
  expect_failures = [var.region]
}

# "oregon" is refused
run "case_6_oregon_is_refused" {
  command = plan

  variables {
    region = "oregon"
    gpu_instance_types = ["p5.48xlarge"]
  }
  expect_failures = [var.region]
}

# "" is refused
run "case_7_is_refused" {
  command = plan

  variables {
    region = ""
    gpu_instance_types = ["p5.48xlarge"]
  }
  expect_failures = [var.region]
}

# "cn-north-1" is refused
run "case_8_cn_north_1_is_refused" {
  command = plan

  variables {
    region = "cn-north-1"
    gpu_instance_types = ["p5.48xlarge"]
  }
  expect_failures = [var.region]
}

# "us-gov-west-1" is refused
run "case_9_us_gov_west_1_is_refused" {
  command = plan

  variables {
    region = "us-gov-west-1"
    gpu_instance_types = ["p5.48xlarge"]
  }
  expect_failures = [var.region]
}

# "us-iso-east-1" is refused
run "case_10_us_iso_east_1_is_refused" {
  command = plan

  variables {
    region = "us-iso-east-1"
    gpu_instance_types = ["p5.48xlarge"]
  }
  expect_failures = [var.region]
}

# "us-isob-east-1" is refused
run "case_11_us_isob_east_1_is_refused" {
  command = plan

  variables {
    region = "us-isob-east-1"
    gpu_instance_types = ["p5.48xlarge"]
  }
  expect_failures = [var.region]
}

# "us-isof-south-1" is refused
run "case_12_us_isof_south_1_is_refused" {
  command = plan

  variables {
    region = "us-isof-south-1"
    gpu_instance_types = ["p5.48xlarge"]
  }
  expect_failures = [var.region]
}

# "eu-isoe-west-1" is refused
run "case_13_eu_isoe_west_1_is_refused" {
  command = plan

  variables {
    region = "eu-isoe-west-1"
    gpu_instance_types = ["p5.48xlarge"]
  }
  expect_failures = [var.region]
}

# "eusc-de-east-1" is refused
run "case_14_eusc_de_east_1_is_refused" {
  command = plan

  variables {
    region = "eusc-de-east-1"
    gpu_instance_types = ["p5.48xlarge"]
  }
  expect_failures = [var.region]
}
