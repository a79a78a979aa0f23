"""What stands below the tables of explainers."""

from collections.abc import Sequence

from clearfilters.reporting.explainer_lines import EXPLAINED_NETWORKS
from clearfilters.reporting.explainer_quantities import EXPLANATION, performer_of
from clearfilters.reporting.part_notes import common
from clearfilters.reporting.records import Experiment, Records

HOW_EXPLAINED = (
    "Performer: the filters of its top convolution; explainer: those of conv-interp-2, before "
    "pooling; input: the maps that the encoder reads. Location instability is divided by the "
    "image's diagonal, as in this paper's tables. Several categories, each for itself (logistic): "
    "a filter counts for the category whose objects activate it most."
)
HOW_SHARED = (
    "p: the share of the interpretable track in the decoder's features, between 0 and 1; it "
    "follows from the weight η of -log p and from what the reconstruction costs. Relative error: "
    "sqrt(sum ||x - x*||² / sum ||x*||²) over test images of what the decoder's two layers give "
    "and the performer's do: of fully connected layers before ReLU. With the classification as "
    "target, p follows from η and from what that costs."
)
HOW_WRONG = (
    "Error: share of test images that are classified wrongly, of the performer and of what it says "
    "of its features as the explainer reconstructs them. Agreement: share of the test images that "
    "both classify alike. Of several categories with a logistic loss for each, both are shares of "
    "the decisions, one for each image and category."
)
OF_SEVERAL = (
    "One category: mean over the categories that were explained, for the seeds that all of these "
    "have."
)


def explained_notes(records: Records, explainers: Sequence[Experiment]) -> list[str]:
    """What a table was made from: explainers, their performers, and the paper's networks."""
    performers = {p.name: p for e in explainers if (p := performer_of(records, e)) is not None}
    every = [*performers.values(), *explainers]
    return common(records, every, tuple(EXPLAINED_NETWORKS))


def p_notes(records: Records, explainers: Sequence[Experiment]) -> list[str]:
    """Where p has not settled, and where the loss rose, by experiment and seed."""
    moving, rising = [], []
    rules: dict[str, None] = {}
    for e in explainers:
        for seed, measured in records.measurements(e, EXPLANATION).items():
            rule = measured.provenance["parameters"][EXPLANATION]
            rules[
                f"changed by more than {rule['plateau_change']:g} over the last "
                f"{rule['plateau_epochs']} epochs"
            ] = None
            values = measured.values
            if not values["plateau"]:
                moving.append(f"{e.label}, seed {seed}")
            if values["rises"]:
                epochs = ", ".join(str(epoch + 1) for epoch in values["rises"])
                rising.append(f"{e.label}, seed {seed} (epoch {epochs})")
    return [
        f"p has not settled (it {' or '.join(rules)}): {'; '.join(moving) or 'nowhere'}.",
        f"The loss rose against the epoch before: {'; '.join(rising) or 'nowhere'}.",
    ]
