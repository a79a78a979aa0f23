"""Which published CIFAR-10 network stands beside one of ours."""

from clearfilters.reporting.records import Experiment, Records

# The CIFAR networks by the published one that they are relatives of. ImageNet's networks, some of
# the same name, are none.
RELATIVES = {
    "resnet8": "ResNet20",
    "resnet20": "ResNet20",
    "resnet32": "ResNet20",
    "resnet44": "ResNet20",
    "resnet56": "ResNet20",
    "resnet110": "ResNet20",
    "alexnet": "AlexNet",
}


def published_network(records: Records, experiment: Experiment) -> str | None:
    """The published CIFAR-10 network whose values stand beside an experiment's, if any.

    A run that has that very network shows the values beside it alone; one that has only a
    relative (the quick run) shows them there.
    """
    name = RELATIVES.get(experiment.model)
    if name is None or experiment.model == name.lower():
        return name
    present = any(e.model == name.lower() for e in records.experiments())
    return None if present else name
