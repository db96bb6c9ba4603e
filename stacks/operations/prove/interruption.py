"""A Spot interruption, by AWS Fault Injection Service (FIS)."""

import json

from stacks.operations.checks.facts import at, listed, short, text
from stacks.operations.checks.question import Verdict
from stacks.operations.deployment import DeploymentError, Object
from stacks.operations.prove.step import KUBECTL, Evidence, Proof, StepError, nothing, step

INTERRUPTION_MINUTES = 10  # an interruption gives two minutes, and a node needs some


@step("Karpenter drains a node that Spot interrupts", "aws fis get-experiment; kubectl get nodeclaim")
def interruption(proof: Proof) -> Evidence:
    """AWS's fault injection sends the notice that EC2 sends, and EC2 takes the instance two minutes later."""
    claims = proof.cluster.objects("nodeclaims.karpenter.sh")
    spot = [one for one in claims if text(one, "metadata", "labels", "karpenter.sh/capacity-type") == "spot" and not _ends(one)]
    if not spot:
        return nothing("no node is a Spot instance")
    claim = next((one for one in spot if text(one, "status", "nodeName") == proof.gpu_node), spot[0])
    instance = text(claim, "status", "providerID").rpartition("/")[2]
    if not proof.fis_role:
        do = 'Again with --fis-role ARN; or by hand, with --keep: EC2 console, Spot Requests, Actions, "Initiate interruption".'
        return Evidence(Verdict.CANNOT_BE_TOLD, f"no role for AWS FIS was given; {instance} is a Spot instance", do=do)
    template = _experiment(proof, instance)
    try:
        begun = proof.now()
        begin = proof.cluster.aws("fis", "start-experiment", "--experiment-template-id", template, "--output", "json")
        experiment = text(json.loads(begin), "experiment", "id")
        name = text(claim, "metadata", "name")

        def noticed() -> bool:
            answer = proof.cluster.aws("fis", "get-experiment", "--id", experiment, "--output", "json")
            state = at(json.loads(answer), "experiment", "state")
            if (status := text(state, "status")) in ("failed", "stopped", "cancelled"):
                raise StepError(f"The experiment {status if status == 'failed' else f'was {status}'}: {text(state, 'reason')}")
            claims = {text(one, "metadata", "name"): one for one in proof.cluster.objects("nodeclaims.karpenter.sh")}
            return name not in claims or _ends(claims[name])

        proof.wait(f"Karpenter drains {name}", noticed, INTERRUPTION_MINUTES)
        drained = proof.now() - begun
        proof.wait(
            f"{instance} is gone", lambda: not any(instance in one for one in proof.cluster.instances()), INTERRUPTION_MINUTES
        )
        gone = proof.now() - begun
    finally:
        try:
            proof.cluster.aws("fis", "delete-experiment-template", "--id", template)
        except DeploymentError as error:  # which must not take the place of what ended the step; the look names the template
            proof.say(f"      The template {template} of the experiment stays: {short(str(error), 160)}")
    figures = {"drain_begins_s": drained, "instance_gone_s": gone}
    said = f"drained from {drained:.0f} s on, gone after {gone:.0f} s"
    # Karpenter may also remove a node because it is empty. Its event: pkg/controllers/interruption/events/events.go.
    selector = f"--field-selector=reason=SpotInterrupted,involvedObject.name={name}"
    events = proof.cluster.kubectl("get", "events", "--all-namespaces", selector, "--output=json", *KUBECTL)
    if not listed(json.loads(events), "items"):
        return Evidence(Verdict.CANNOT_BE_TOLD, f"{said}; no event SpotInterrupted says that this was why", figures=figures)
    return Evidence(Verdict.PASSED, said, figures=figures)


def _experiment(proof: Proof, instance: str) -> str:
    """A template for one instance and one action."""
    account = proof.fis_role.split(":")[4]
    target = {
        "resourceType": "aws:ec2:spot-instance",
        "resourceArns": [f"arn:aws:ec2:{proof.cluster.region}:{account}:instance/{instance}"],
        "selectionMode": "ALL",
    }
    action = {
        "actionId": "aws:ec2:send-spot-instance-interruptions",
        "parameters": {"durationBeforeInterruption": "PT2M"},
        "targets": {"SpotInstances": "node"},
    }
    template = {
        "description": f"make prove: {proof.cluster.name}",
        "roleArn": proof.fis_role,
        "stopConditions": [{"source": "none"}],
        "targets": {"node": target},
        "actions": {"interrupt": action},
        "tags": {"Name": proof.cluster.name},
    }
    answer = proof.cluster.aws("fis", "create-experiment-template", "--cli-input-json", json.dumps(template), "--output", "json")
    return text(json.loads(answer), "experimentTemplate", "id")


def _ends(claim: Object) -> bool:
    return bool(text(claim, "metadata", "deletionTimestamp"))
