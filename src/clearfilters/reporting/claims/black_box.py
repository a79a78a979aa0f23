"""The claims about black-box attacks: that class-specific filters make a network more robust."""

from operator import lt
from statistics import fmean

from clearfilters.reporting.claims.verdict import Evidence, Finding
from clearfilters.reporting.claims.weighing import Claim, Weigh, judge_claim
from clearfilters.reporting.records import Experiment, Records
from clearfilters.reporting.tables.black_box import clean_accuracy, mean_interval, success_rate

NAMES = {"one_pixel": "one-pixel", "local_search": "local-search"}
# Role of the subject, paper, source.
SUBJECTS = (("lsg", "LSG", "table 5"), ("csg", "CSG", "table J.1"))


def findings(records: Records) -> list[Finding]:
    """Whether the attacks succeed more rarely than on STD, per attack and experiment."""
    claims = [
        Claim(
            f"{paper.lower()}_black_box_{analysis}",
            paper,
            source,
            f"The {name} attack succeeds more rarely on {paper} than on STD",
            f"success rate in percent: {paper} < STD",
            (role,),
            _weigh(analysis),
        )
        for role, paper, source in SUBJECTS
        for analysis, name in NAMES.items()
    ]
    return [finding for claim in claims for finding in judge_claim(records, claim)]


def _weigh(analysis: str) -> Weigh:
    def weigh(records: Records, e: Experiment, partner: Experiment | None) -> Evidence | None:
        if partner is None:
            return None
        sides = [(side, success_rate(records, side, analysis)) for side in (e, partner)]
        if not all(sample for _, sample in sides):
            return None
        (ours, left), (std, right) = sides
        return Evidence(
            ours.label, left, std.label, right, lt, _note(records, e, partner, analysis)
        )

    return weigh


def _note(records: Records, e: Experiment, partner: Experiment, analysis: str) -> str:
    """The intervals and the clean accuracies, which the success rates must be read beside."""
    low, high, _ = mean_interval(records, e, analysis)
    std_low, std_high, _ = mean_interval(records, partner, analysis)
    within_noise = low <= std_high and std_low <= high
    overlap = "intervals overlap: within noise" if within_noise else "intervals do not overlap"
    ours, theirs = (fmean(clean_accuracy(records, side).values()) for side in (e, partner))
    return (
        f"{overlap} (95 %: {low:.1f} to {high:.1f} against {std_low:.1f} to {std_high:.1f}); "
        f"accuracy {ours:.2f} against {theirs:.2f} percent"
    )
