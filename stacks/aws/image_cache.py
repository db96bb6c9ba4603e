"""ECR as a cache of public registries, and the nodes' permission to fill it."""

from typing import Any

from cdktf import TerraformOutput, TerraformStack
from cdktf_cdktf_provider_aws.data_aws_caller_identity import DataAwsCallerIdentity
from cdktf_cdktf_provider_aws.ecr_pull_through_cache_rule import EcrPullThroughCacheRule
from cdktf_cdktf_provider_aws.ecr_repository_creation_template import (
    EcrRepositoryCreationTemplate,
    EcrRepositoryCreationTemplateEncryptionConfiguration,
)
from cdktf_cdktf_provider_aws.iam_policy import IamPolicy
from constructs import Construct

from stacks.config.common import Common
from stacks.config.image_cache import ImageCache as Options
from stacks.hcl.expressions import Expression
from stacks.hcl.rules import Rule, shown
from stacks.knowledge.regions import PARTITION
from stacks.knowledge.registries import UpstreamRegistry
from stacks.terraform.addresses import Addressed
from stacks.terraform.arguments import check_arguments


class ImageCache(Addressed):
    """The rules of the cache, where this cluster creates them, and a policy for every node.

    Attributes:
        node_policies: the policy, for the roles of the nodes.

    Raises:
        ConfigurationError: a literal argument cannot be right.
    """

    def __init__(self, scope: Construct, id: str, common: Common, *, options: Options) -> None:
        super().__init__(scope, id)
        check_arguments(ImageCache, common=common, options=options)
        self._common, self._options = common, options
        caller = "data.aws_caller_identity.image_cache"
        self.add(DataAwsCallerIdentity, caller)
        account = Expression(f"{caller}.account_id")
        self.require(*self._rules_for_secrets(account))
        upstreams = options.upstreams()
        if options.create:
            days = options.expire_after_days
            self._lifecycle = self.add_json("image_cache_lifecycle", _expiry(days)) if days else None
            for host, upstream in upstreams.items():
                self._add_rule(host, upstream)
        self.node_policies = {"image_cache": self._policy(account, [upstream.prefix for upstream in upstreams.values()]).arn}
        registry = f"{account}.dkr.ecr.{common.region}.amazonaws.com"
        TerraformOutput(
            TerraformStack.of(self),  # straight below the stack, an id is the address as it is
            "image_cache_prefixes",
            description="What the name of a cached image begins with, by registry.",
            value={host: f"{registry}/{upstream.prefix}" for host, upstream in upstreams.items()},
        )

    def _rules_for_secrets(self, account: Expression) -> list[Rule]:
        """ECR refuses secrets of others, after half of the rest exists."""
        places = {"region": self.as_expression("region", self._common.region), "account": account}
        return [
            Rule(
                f'{value.hcl} == "{found}"',
                f"image_cache.credential_arns must be secrets of the cluster's {part} {shown(value)} (got {found}).",
            )
            for part, value in places.items()
            for found in self._options.secrets(part)
        ]

    def _add_rule(self, host: str, upstream: UpstreamRegistry) -> None:
        """A rule after its template: a repository keeps what it is created with."""
        name, prefix = upstream.prefix.replace("-", "_"), upstream.prefix
        template = self.add(
            EcrRepositoryCreationTemplate,
            f"aws_ecr_repository_creation_template.{name}",
            prefix=prefix,
            description=f"Copies of {host}",
            applied_for=["PULL_THROUGH_CACHE"],
            image_tag_mutability="MUTABLE",
            encryption_configuration=[EcrRepositoryCreationTemplateEncryptionConfiguration(encryption_type="AES256")],
            lifecycle_policy=self._lifecycle,
        )
        self.add(
            EcrPullThroughCacheRule,
            f"aws_ecr_pull_through_cache_rule.{name}",
            ecr_repository_prefix=prefix,
            upstream_registry_url=upstream.url or host,
            credential_arn=self._options.credential_arns.get(host),
            depends_on=[template],
        )
        self.explain(
            f"aws_ecr_repository_creation_template.{name}",
            image_tag_mutability="With IMMUTABLE, ECR does not refresh a tag that moves.",
        )

    def _policy(self, account: Expression, prefixes: list[str]) -> IamPolicy:
        """Whoever pulls an image for the first time creates its repository."""
        common = self._common
        statement = {
            "Effect": "Allow",
            "Action": ["ecr:CreateRepository", "ecr:BatchImportUpstreamImage"],
            "Resource": [f"arn:{PARTITION}:ecr:{common.region}:{account}:repository/{prefix}/*" for prefix in prefixes],
        }
        return self.add(
            IamPolicy,
            "aws_iam_policy.image_cache",
            name=f"{common.name}-ImageCache",
            description="Lets nodes fill the cache of images in ECR",
            policy=self.add_json("image_cache_policy", {"Version": "2012-10-17", "Statement": [statement]}),
            tags=common.tags,
        )


def _expiry(days: int) -> dict[str, Any]:
    selection = {"tagStatus": "any", "countType": "sinceImagePushed", "countUnit": "days", "countNumber": days}
    rule = {
        "rulePriority": 1,
        "description": f"Copies expire after {days} days",
        "selection": selection,
        "action": {"type": "expire"},
    }
    return {"rules": [rule]}
