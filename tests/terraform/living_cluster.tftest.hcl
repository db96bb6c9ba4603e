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

# such a cluster beside that of this state is another one
run "case_1_such_a_cluster_beside_that_of_this_state_is_another_one" {
  command = apply

  variables {
    region = "us-west-2"
    gpu_instance_types = ["p5.48xlarge"]
  }
  override_data {
    target = data.aws_eks_clusters.existing
    values = {"names": ["eks-spot-gpu-zz9x", "training-zz9x"]}
  }
}

# a cluster with another suffix is another one
run "case_2_a_cluster_with_another_suffix_is_another_one" {
  command = apply

  variables {
    region = "us-west-2"
    gpu_instance_types = ["p5.48xlarge"]
  }
  override_data {
    target = data.aws_eks_clusters.existing
    values = {"names": ["training-abcd"]}
  }
}

# a cluster with the suffix of this state under another prefix is refused
run "case_3_a_cluster_with_the_suffix_of_this_state_under_another_prefix_is_refused" {
  command = plan

  variables {
    region = "us-west-2"
    gpu_instance_types = ["p5.48xlarge"]
  }
  override_data {
    target = data.aws_eks_clusters.existing
    values = {"names": ["training-zz9x"]}
  }
  expect_failures = [output.cluster_version]
}
