"""`make prove`: build a cluster, measure it, and remove it. A file per question:

command.py       in which order?
before.py        what will be built, what does that cost, and may it be built?
record.py        what is ours, so that nothing else is ever removed?
ends.py          what ends a run early, and how does Terraform hear of it?
steps.py         what is proved, and by which evidence?
interruption.py  the step that needs AWS's fault injection
step.py          how is a step made?
pods.py          the pods that the steps run
cleanup.py       how is everything removed, and what is left?
report.py        what is written down?
"""
