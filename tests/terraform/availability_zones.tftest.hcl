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

# [] is accepted
run "case_1_is_accepted" {
  command = plan

  variables {
    region = "us-west-2"
    gpu_instance_types = ["p5.48xlarge"]
    availability_zones = []
  }
}

# ["us-west-2a", "us-west-2c"] is accepted
run "case_2_us_west_2a_us_west_2c_is_accepted" {
  command = plan

  variables {
    region = "us-west-2"
    gpu_instance_types = ["p5.48xlarge"]
    availability_zones = ["us-west-2a", "us-west-2c"]
  }
}

# ["us-west-2d", "us-west-2b", "us-west-2a"] is accepted
run "case_3_us_west_2d_us_west_2b_us_west_2a_is_accepted" {
  command = plan

  variables {
    region = "us-west-2"
    gpu_instance_types = ["p5.48xlarge"]
    availability_zones = ["us-west-2d", "us-west-2b", "us-west-2a"]
  }
}

# ["us-west-2a", "us-west-2a"] is refused
run "case_4_us_west_2a_us_west_2a_is_refused" {
  command = plan

  variables {
    region = "us-west-2"
    gpu_instance_types = ["p5.48xlarge"]
    availability_zones = ["us-west-2a", "us-west-2a"]
  }
  expect_failures = [var.availability_zones]
}

# ["us-west-2a", null] is refused
run "case_5_us_west_2a_null_is_refused" {
  command = plan

  variables {
    region = "us-west-2"
    gpu_instance_types = ["p5.48xlarge"]
    availability_zones = ["us-west-2a", null]
  }
  expect_failures = [var.availability_zones]
}

# nine zones are refused
run "case_6_nine_zones_are_refused" {
  command = plan

  variables {
    region = "xx-many-9"
    gpu_instance_types = ["p5.48xlarge"]
    availability_zones = ["xx-many-9a", "xx-many-9b", "xx-many-9c", "xx-many-9d", "xx-many-9e", "xx-many-9f", "xx-many-9g", "xx-many-9h", "xx-many-9i"]
  }
  expect_failures = [var.availability_zones]
}

# ["us-west-2a", "us-west-2b", "us-west-1a"] is refused
run "case_7_us_west_2a_us_west_2b_us_west_1a_is_refused" {
  command = plan

  variables {
    region = "us-west-2"
    gpu_instance_types = ["p5.48xlarge"]
    availability_zones = ["us-west-2a", "us-west-2b", "us-west-1a"]
  }
  expect_failures = [random_string.suffix]
}

# ["us-west-2a"] is refused
run "case_8_us_west_2a_is_refused" {
  command = plan

  variables {
    region = "us-west-2"
    gpu_instance_types = ["p5.48xlarge"]
    availability_zones = ["us-west-2a"]
  }
  expect_failures = [random_string.suffix]
}

# a region of nine zones is refused
run "case_9_a_region_of_nine_zones_is_refused" {
  command = plan

  variables {
    region = "xx-many-9"
    gpu_instance_types = ["p5.48xlarge"]
  }
  override_data {
    target = data.aws_availability_zones.available
    values = {"names": ["xx-many-9a", "xx-many-9b", "xx-many-9c", "xx-many-9d", "xx-many-9e", "xx-many-9f", "xx-many-9g", "xx-many-9h", "xx-many-9i"], "zone_ids": ["xx9-az0", "xx9-az1", "xx9-az2", "xx9-az3", "xx9-az4", "xx9-az5", "xx9-az6", "xx9-az7", "xx9-az8"]}
  }
  override_data {
    target = data.aws_ec2_instance_type_offerings.gpu
    values = {"instance_types": ["p5.48xlarge", "p5.48xlarge", "p5.48xlarge", "p5.48xlarge", "p5.48xlarge", "p5.48xlarge", "p5.48xlarge", "p5.48xlarge", "p5.48xlarge"], "locations": ["xx-many-9a", "xx-many-9b", "xx-many-9c", "xx-many-9d", "xx-many-9e", "xx-many-9f", "xx-many-9g", "xx-many-9h", "xx-many-9i"]}
  }
  override_data {
    target = data.aws_ec2_instance_type_offerings.node_group
    values = {"instance_types": ["m5.large", "m5.large", "m5.large", "m5.large", "m5.large", "m5.large", "m5.large", "m5.large", "m5.large"], "locations": ["xx-many-9a", "xx-many-9b", "xx-many-9c", "xx-many-9d", "xx-many-9e", "xx-many-9f", "xx-many-9g", "xx-many-9h", "xx-many-9i"]}
  }
  expect_failures = [random_string.suffix]
}

# eight of nine are accepted
run "case_10_eight_of_nine_are_accepted" {
  command = plan

  variables {
    region = "xx-many-9"
    gpu_instance_types = ["p5.48xlarge"]
    availability_zones = ["xx-many-9a", "xx-many-9b", "xx-many-9c", "xx-many-9d", "xx-many-9e", "xx-many-9f", "xx-many-9g", "xx-many-9h"]
  }
  override_data {
    target = data.aws_availability_zones.available
    values = {"names": ["xx-many-9a", "xx-many-9b", "xx-many-9c", "xx-many-9d", "xx-many-9e", "xx-many-9f", "xx-many-9g", "xx-many-9h", "xx-many-9i"], "zone_ids": ["xx9-az0", "xx9-az1", "xx9-az2", "xx9-az3", "xx9-az4", "xx9-az5", "xx9-az6", "xx9-az7", "xx9-az8"]}
  }
  override_data {
    target = data.aws_ec2_instance_type_offerings.gpu
    values = {"instance_types": ["p5.48xlarge", "p5.48xlarge", "p5.48xlarge", "p5.48xlarge", "p5.48xlarge", "p5.48xlarge", "p5.48xlarge", "p5.48xlarge", "p5.48xlarge"], "locations": ["xx-many-9a", "xx-many-9b", "xx-many-9c", "xx-many-9d", "xx-many-9e", "xx-many-9f", "xx-many-9g", "xx-many-9h", "xx-many-9i"]}
  }
  override_data {
    target = data.aws_ec2_instance_type_offerings.node_group
    values = {"instance_types": ["m5.large", "m5.large", "m5.large", "m5.large", "m5.large", "m5.large", "m5.large", "m5.large", "m5.large"], "locations": ["xx-many-9a", "xx-many-9b", "xx-many-9c", "xx-many-9d", "xx-many-9e", "xx-many-9f", "xx-many-9g", "xx-many-9h", "xx-many-9i"]}
  }
}

# a region of one zone is refused
run "case_11_a_region_of_one_zone_is_refused" {
  command = plan

  variables {
    region = "xx-one-1"
    gpu_instance_types = ["p5.48xlarge"]
  }
  override_data {
    target = data.aws_availability_zones.available
    values = {"names": ["xx-one-1a"], "zone_ids": ["xx1-az1"]}
  }
  override_data {
    target = data.aws_ec2_instance_type_offerings.gpu
    values = {"instance_types": ["p5.48xlarge"], "locations": ["xx-one-1a"]}
  }
  override_data {
    target = data.aws_ec2_instance_type_offerings.node_group
    values = {"instance_types": ["m5.large"], "locations": ["xx-one-1a"]}
  }
  expect_failures = [random_string.suffix]
}

# a region of two zones is accepted
run "case_12_a_region_of_two_zones_is_accepted" {
  command = plan

  variables {
    region = "us-west-1"
    gpu_instance_types = ["p5.48xlarge"]
  }
  override_data {
    target = data.aws_availability_zones.available
    values = {"names": ["us-west-1a", "us-west-1c"], "zone_ids": ["usw1-az1", "usw1-az3"]}
  }
  override_data {
    target = data.aws_ec2_instance_type_offerings.gpu
    values = {"instance_types": ["p5.48xlarge", "p5.48xlarge"], "locations": ["us-west-1a", "us-west-1c"]}
  }
  override_data {
    target = data.aws_ec2_instance_type_offerings.node_group
    values = {"instance_types": ["m5.large", "m5.large"], "locations": ["us-west-1a", "us-west-1c"]}
  }
}

# two zones of which EKS supports one are refused
run "case_13_two_zones_of_which_eks_supports_one_are_refused" {
  command = plan

  variables {
    region = "us-west-1"
    gpu_instance_types = ["p5.48xlarge"]
  }
  override_data {
    target = data.aws_availability_zones.available
    values = {"names": ["us-west-1b", "us-west-1c"], "zone_ids": ["usw1-az2", "usw1-az3"]}
  }
  override_data {
    target = data.aws_ec2_instance_type_offerings.gpu
    values = {"instance_types": ["p5.48xlarge", "p5.48xlarge"], "locations": ["us-west-1b", "us-west-1c"]}
  }
  override_data {
    target = data.aws_ec2_instance_type_offerings.node_group
    values = {"instance_types": ["m5.large", "m5.large"], "locations": ["us-west-1b", "us-west-1c"]}
  }
  expect_failures = [random_string.suffix]
}

# us-east-1e is a zone like another where its ID is not use1-az3
run "case_14_us_east_1e_is_a_zone_like_another_where_its_id_is_not_use1_az3" {
  command = plan

  variables {
    region = "us-east-1"
    gpu_instance_types = ["p5.48xlarge"]
    availability_zones = ["us-east-1a", "us-east-1e"]
  }
  override_data {
    target = data.aws_availability_zones.available
    values = {"names": ["us-east-1a", "us-east-1e"], "zone_ids": ["use1-az1", "use1-az5"]}
  }
  override_data {
    target = data.aws_ec2_instance_type_offerings.gpu
    values = {"instance_types": ["p5.48xlarge", "p5.48xlarge"], "locations": ["us-east-1a", "us-east-1e"]}
  }
  override_data {
    target = data.aws_ec2_instance_type_offerings.node_group
    values = {"instance_types": ["m5.large", "m5.large"], "locations": ["us-east-1a", "us-east-1e"]}
  }
}

# us-east-1a is refused where its ID is use1-az3
run "case_15_us_east_1a_is_refused_where_its_id_is_use1_az3" {
  command = plan

  variables {
    region = "us-east-1"
    gpu_instance_types = ["p5.48xlarge"]
    availability_zones = ["us-east-1a", "us-east-1e"]
  }
  override_data {
    target = data.aws_availability_zones.available
    values = {"names": ["us-east-1a", "us-east-1e"], "zone_ids": ["use1-az3", "use1-az5"]}
  }
  override_data {
    target = data.aws_ec2_instance_type_offerings.gpu
    values = {"instance_types": ["p5.48xlarge", "p5.48xlarge"], "locations": ["us-east-1a", "us-east-1e"]}
  }
  override_data {
    target = data.aws_ec2_instance_type_offerings.node_group
    values = {"instance_types": ["m5.large", "m5.large"], "locations": ["us-east-1a", "us-east-1e"]}
  }
  expect_failures = [random_string.suffix]
}
