"""What stands beside a verdict where it depends on what was found, and what no network can meet."""

from collections.abc import Callable
from statistics import fmean

from clearfilters.reporting.claims.quantities import Run
from clearfilters.reporting.claims.verdict import Evidence
from clearfilters.reporting.records import Experiment
from clearfilters.reporting.tables.black_box import clean_accuracy, mean_interval

# Of the run, the subject, its partner and the numbers; empty where there is nothing to say.
Remark = Callable[[Run, Experiment, Experiment | None, Evidence], str]


def _attack_intervals(analysis: str) -> Remark:
    """The intervals over images and the clean accuracies, beside which success rates are read."""

    def remark(run: Run, e: Experiment, partner: Experiment | None, evidence: Evidence) -> str:
        assert partner is not None
        low, high, _ = mean_interval(run.records, e, analysis)
        std_low, std_high, _ = mean_interval(run.records, partner, analysis)
        alike = low <= std_high and std_low <= high
        overlap = (
            "intervals overlap: within what these images tell"
            if alike
            else "intervals do not overlap"
        )
        ours, theirs = (fmean(clean_accuracy(run.records, side).values()) for side in (e, partner))
        return (
            f"{overlap} (95 %: {low:.1f} to {high:.1f} against {std_low:.1f} to {std_high:.1f}); "
            f"accuracy {ours:.2f} against {theirs:.2f} percent"
        )

    return remark


def _interval_is_a_point(
    run: Run, e: Experiment, partner: Experiment | None, evidence: Evidence
) -> str:
    values = run.records.first(e, "phi")
    assert values is not None
    low, high = values["interval"]
    return "the interval is a single point" if low >= high else ""


def _sparser_than_a_gate(
    run: Run, e: Experiment, partner: Experiment | None, evidence: Evidence
) -> str:
    """Each column of a gate holds a 1, so that its density is at least 1/C."""
    assert not isinstance(evidence.right, float)
    wanted = evidence.margin * fmean(evidence.right.values())
    least = 1 / len(run.records.classes(e))
    if wanted >= least:
        return ""
    return (
        f"cannot hold here: {wanted:.3g} is asked, and no gate is below 1/C = {least:.3g} "
        "(each column holds a 1); says nothing against LSG"
    )


REMARKS: dict[str, Remark] = {
    "one_pixel_intervals": _attack_intervals("one_pixel"),
    "local_search_intervals": _attack_intervals("local_search"),
    "interval_is_a_point": _interval_is_a_point,
}
# Why no network can meet the comparison; empty where one can.
IMPOSSIBLE: dict[str, Remark] = {"sparser_than_a_gate": _sparser_than_a_gate}
