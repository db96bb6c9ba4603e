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

# "eks-spot-gpu" is accepted
run "case_1_eks_spot_gpu_is_accepted" {
  command = plan

  variables {
    region = "us-west-2"
    gpu_instance_types = ["p5.48xlarge"]
    cluster_name_prefix = "eks-spot-gpu"
  }
}

# "a" is accepted
run "case_2_a_is_accepted" {
  command = plan

  variables {
    region = "us-west-2"
    gpu_instance_types = ["p5.48xlarge"]
    cluster_name_prefix = "a"
  }
}

# "7" is accepted
run "case_3_7_is_accepted" {
  command = plan

  variables {
    region = "us-west-2"
    gpu_instance_types = ["p5.48xlarge"]
    cluster_name_prefix = "7"
  }
}

# "Train_1" is accepted
run "case_4_train_1_is_accepted" {
  command = plan

  variables {
    region = "us-west-2"
    gpu_instance_types = ["p5.48xlarge"]
    cluster_name_prefix = "Train_1"
  }
}

# "sgx" is accepted
run "case_5_sgx_is_accepted" {
  command = plan

  variables {
    region = "us-west-2"
    gpu_instance_types = ["p5.48xlarge"]
    cluster_name_prefix = "sgx"
  }
}

# "aaaaaaaaaaaaaaaaaaaaaaaa" is accepted
run "case_6_aaaaaaaaaaaaaaaaaaaaaaaa_is_accepted" {
  command = plan

  variables {
    region = "us-west-2"
    gpu_instance_types = ["p5.48xlarge"]
    cluster_name_prefix = "aaaaaaaaaaaaaaaaaaaaaaaa"
  }
}

# "aaaaaaaaaaaaaaaaaaaaaaaaa" is refused
run "case_7_aaaaaaaaaaaaaaaaaaaaaaaaa_is_refused" {
  command = plan

  variables {
    region = "us-west-2"
    gpu_instance_types = ["p5.48xlarge"]
    cluster_name_prefix = "aaaaaaaaaaaaaaaaaaaaaaaaa"
  }
  expect_failures = [var.cluster_name_prefix]
}

# "" is refused
run "case_8_is_refused" {
  command = plan

  variables {
    region = "us-west-2"
    gpu_instance_types = ["p5.48xlarge"]
    cluster_name_prefix = ""
  }
  expect_failures = [var.cluster_name_prefix]
}

# "-gpu" is refused
run "case_9_gpu_is_refused" {
  command = plan

  variables {
    region = "us-west-2"
    gpu_instance_types = ["p5.48xlarge"]
    cluster_name_prefix = "-gpu"
  }
  expect_failures = [var.cluster_name_prefix]
}

# "gpu.train" is refused
run "case_10_gpu_train_is_refused" {
  command = plan

  variables {
    region = "us-west-2"
    gpu_instance_types = ["p5.48xlarge"]
    cluster_name_prefix = "gpu.train"
  }
  expect_failures = [var.cluster_name_prefix]
}

# "gpu train" is refused
run "case_11_gpu_train_is_refused" {
  command = plan

  variables {
    region = "us-west-2"
    gpu_instance_types = ["p5.48xlarge"]
    cluster_name_prefix = "gpu train"
  }
  expect_failures = [var.cluster_name_prefix]
}

# "sg-train" is refused
run "case_12_sg_train_is_refused" {
  command = plan

  variables {
    region = "us-west-2"
    gpu_instance_types = ["p5.48xlarge"]
    cluster_name_prefix = "sg-train"
  }
  expect_failures = [var.cluster_name_prefix]
}

# "sg" is refused
run "case_13_sg_is_refused" {
  command = plan

  variables {
    region = "us-west-2"
    gpu_instance_types = ["p5.48xlarge"]
    cluster_name_prefix = "sg"
  }
  expect_failures = [var.cluster_name_prefix]
}

# "SG" is refused
run "case_14_sg_is_refused" {
  command = plan

  variables {
    region = "us-west-2"
    gpu_instance_types = ["p5.48xlarge"]
    cluster_name_prefix = "SG"
  }
  expect_failures = [var.cluster_name_prefix]
}

# 21 characters fit in a region of 14
run "case_15_21_characters_fit_in_a_region_of_14" {
  command = plan

  variables {
    region = "ap-southeast-2"
    gpu_instance_types = ["p5.48xlarge"]
    cluster_name_prefix = "aaaaaaaaaaaaaaaaaaaaa"
  }
}

# 22 characters do not fit in a region of 14
run "case_16_22_characters_do_not_fit_in_a_region_of_14" {
  command = plan

  variables {
    region = "ap-southeast-2"
    gpu_instance_types = ["p5.48xlarge"]
    cluster_name_prefix = "aaaaaaaaaaaaaaaaaaaaaa"
  }
  expect_failures = [random_string.suffix]
}
