"""What a claim is: a record of a paper's YAML file here. docs/extending.md shows how to add one."""

from collections.abc import Iterable, Mapping
from functools import cache
from importlib.resources import files
from string import Formatter
from typing import Any, Literal

import yaml
from pydantic import Field, ValidationError, field_validator, model_validator

from clearfilters.errors import ClearfiltersError
from clearfilters.params.fields import Number, Strict
from clearfilters.params.reading import explain
from clearfilters.params.run import ClaimsParams
from clearfilters.reporting.claims.comparisons import COMPARISONS
from clearfilters.reporting.claims.detectors import DETECTION_QUANTITIES
from clearfilters.reporting.claims.partners import DATA_AND_NETWORK, MATCHES, ONLY, SETTINGS
from clearfilters.reporting.claims.quantities import BASELINES, QUANTITIES, STATES
from clearfilters.reporting.claims.remarks import IMPOSSIBLE, REMARKS
from clearfilters.reporting.part_quantities import TRAINED
from clearfilters.reporting.records import ROLES

# In the order of claims.csv.
CLAIM_FILES = ("lsg.yaml", "csg.yaml", "icnn.yaml", "explainer.yaml", "ours.yaml")
# A rule's word for the sizes of a detector, where none was run.
RULE_WORDS = {"sizes": "n"}
# How the experiments that a claim is about are gathered into verdicts (cases.py).
Cases = Literal[
    "each_experiment",
    "each_attack",
    "best_setting",
    "best_setting_beside_each_partner",
    "least_weight_beside_each_partner",
    "steps_of_eta",
    "pairs_of_eta",
]
# Keys that not every way to gather reads.
USED_BY: dict[str, tuple[Cases, ...]] = {
    "also": ("each_experiment", "best_setting", "best_setting_beside_each_partner"),
    "note": ("each_experiment", "best_setting", "best_setting_beside_each_partner"),
    "baselines": ("each_experiment", "least_weight_beside_each_partner"),
    "seeds": ("each_experiment", "least_weight_beside_each_partner"),
    "remark": ("each_experiment",),
}


def _known(kind: str, name: str, names: Iterable[str]) -> str:
    if name not in names:
        raise ValueError(f"no such {kind}; expected one of {', '.join(names)}")
    return name


class Side(Strict):
    """A number, where it is not simply the claim's quantity of a trained network.

    Attributes:
        of: whose.
        quantity: a key of QUANTITIES; by default the claim's.
        state: one of STATES.
        over: divide by the partner's number, seed by seed.
        name: what stands behind the network's label.
        label: what stands in place of it.
    """

    of: Literal["subject", "partner"] = "subject"
    quantity: str | None = None
    state: str = TRAINED
    over: Literal["partner"] | None = None
    name: str = ""
    label: str = ""

    @field_validator("quantity")
    @classmethod
    def _quantity_exists(cls, name: str | None) -> str | None:
        return None if name is None else _known("quantity", name, QUANTITIES)

    @field_validator("state")
    @classmethod
    def _state_exists(cls, name: str) -> str:
        return _known("state", name, STATES)


class Condition(Strict):
    """A comparison of two numbers.

    Attributes:
        quantity: a key of QUANTITIES, or of DETECTION_QUANTITIES.
        comparison: a key of COMPARISONS.
        margin: a key of `claims` in params.yaml, for the comparisons that have one.
        left: see `Side`; by default the subject's.
        right: see `Side`; by default the partner's.
        bound: in place of the right side: a number, a key of `claims` in params.yaml, or a quantity
            of the subject's first seed.
    """

    quantity: str
    comparison: str
    margin: str | None = None
    left: Side = Side()
    right: Side = Side(of="partner")
    bound: Number | str | None = None

    @field_validator("quantity")
    @classmethod
    def _quantity_exists(cls, name: str) -> str:
        return _known("quantity", name, (*QUANTITIES, *DETECTION_QUANTITIES))

    @field_validator("comparison")
    @classmethod
    def _comparison_exists(cls, name: str) -> str:
        return _known("comparison", name, COMPARISONS)

    @field_validator("margin")
    @classmethod
    def _margin_exists(cls, name: str | None) -> str | None:
        return None if name is None else _known("margin", name, ClaimsParams.model_fields)

    @field_validator("bound")
    @classmethod
    def _bound_exists(cls, bound: float | str | None) -> float | str | None:
        if isinstance(bound, str):
            _known("bound", bound, (*ClaimsParams.model_fields, *QUANTITIES))
        return bound

    @model_validator(mode="after")
    def _margin_where_it_is_compared_with_one(self) -> "Condition":
        if COMPARISONS[self.comparison].has_margin != (self.margin is not None):
            needs = "needs a" if self.margin is None else "has no"
            raise ValueError(f"comparison {self.comparison} {needs} margin")
        return self


class ToRun(Strict):
    """What would run a claim: experiments of a run.

    Attributes:
        presets: laid over params.yaml, in this order; none is the quick run.
        experiments: of the run, which the claim is about or compares with.
    """

    presets: list[str]
    experiments: list[str] = Field(min_length=1)

    def text(self) -> str:
        """As claims.csv has it."""
        presets = " laid over ".join(reversed(self.presets))
        where = f"preset {presets}" if presets else "params.yaml"
        return f"{where}: {', '.join(self.experiments)}"


class Claim(Condition):
    """A sentence of a paper as a comparison of numbers.

    Attributes:
        id: unique over all files; claims.csv has the experiment behind it.
        where: in the paper; of claims of ours, the table that has the numbers.
        sentence: what is claimed, in our words.
        rule: what is compared, in words; both may name keys of `claims` in params.yaml in braces.
        subjects: roles that it is about.
        to_run: what would run it.
        partner: role of the experiment that the subject is compared with.
        matched_by: which one of that role (MATCHES).
        networks: prefixes of the networks that it is about, each with verdicts of its own.
        only: what a subject must be (ONLY).
        given: holds on the means for those that it is about.
        also: holds besides.
        seeds: whether only seeds that both sides have count.
        baselines: what is asked, too, where it holds (BASELINES).
        cases: how its subjects are gathered into verdicts.
        note: what stands beside the verdict; quantities, SETTINGS and `partner[...]` in braces are
            filled in.
        remark: more of it, that depends on what is found (REMARKS).
        impossible: when no network can meet it (IMPOSSIBLE).
    """

    id: str = Field(pattern=r"^[a-z0-9_]+$")
    where: str = Field(min_length=1)
    sentence: str = Field(min_length=1)
    rule: str = Field(min_length=1)
    subjects: list[str] = Field(min_length=1)
    to_run: ToRun
    partner: str | None = None
    matched_by: str = DATA_AND_NETWORK
    networks: list[str] = Field(default_factory=lambda: [""])
    only: list[str] = Field(default_factory=list)
    given: Condition | None = None
    also: list[Condition] = Field(default_factory=list)
    seeds: Literal["all", "shared"] = "all"
    baselines: list[str] = Field(default_factory=list)
    cases: Cases = "each_experiment"
    note: str = ""
    remark: str | None = None
    impossible: str | None = None

    @model_validator(mode="after")
    def _names_exist(self) -> "Claim":
        partners = [] if self.partner is None else [self.partner]
        for kind, names, known in (
            ("role", [*self.subjects, *partners], ROLES),
            ("way to match", [self.matched_by], MATCHES),
            ("condition of a subject", self.only, ONLY),
            ("baseline", self.baselines, BASELINES),
            ("remark", filter(None, [self.remark]), REMARKS),
            ("reason why it is impossible", filter(None, [self.impossible]), IMPOSSIBLE),
        ):
            for name in names:
                if name not in known:
                    raise ValueError(
                        f"{name!r}: no such {kind}; expected one of {', '.join(known)}"
                    )
        return self

    @model_validator(mode="after")
    def _has_no_key_without_effect(self) -> "Claim":
        for key, cases in USED_BY.items():
            if key in self.model_fields_set and self.cases not in cases:
                raise ValueError(f"{key} has no effect with cases: {self.cases}; leave it out")
        return self

    @model_validator(mode="after")
    def _has_a_partner_to_compare_with(self) -> "Claim":
        for condition in (self, *self.also, *filter(None, [self.given])):
            sides = [condition.left, *([condition.right] if condition.bound is None else [])]
            of_partner = any("partner" in (side.of, side.over) for side in sides)
            if of_partner and self.partner is None and self.cases != "steps_of_eta":
                raise ValueError(
                    f"quantity {condition.quantity} is compared with a partner's; give `partner`, "
                    "`bound` or `right`"
                )
        return self

    @model_validator(mode="after")
    def _texts_can_be_filled_in(self) -> "Claim":
        words = {*ClaimsParams.model_fields, *RULE_WORDS}
        numbers = {*QUANTITIES, *SETTINGS, "partner[label]"}
        numbers |= {f"partner[{name}]" for name in (*QUANTITIES, *SETTINGS)}
        for key, known in (("sentence", words), ("rule", words), ("note", numbers)):
            for name in fields_of(getattr(self, key)):
                if name not in known:
                    raise ValueError(f"{key}: nothing is called {{{name}}}")
        return self


class Paper(Strict):
    """A file of claims: the paper's short name, and its claims in the order of claims.csv."""

    paper: str
    claims: list[Claim] = Field(min_length=1)


def fields_of(text: str) -> list[str]:
    """The names in braces."""
    return [name for _, name, _, _ in Formatter().parse(text) if name is not None]


@cache
def papers() -> tuple[Paper, ...]:
    """Every file of claims, in the order of claims.csv.

    Raises:
        ClearfiltersError: naming the file, the claim and the key that is wrong.
    """
    folder = files("clearfilters.reporting.claims")
    found = tuple(
        read_paper(folder.joinpath(name).read_text(encoding="utf-8"), name) for name in CLAIM_FILES
    )
    check_ids(found)
    return found


def read_paper(text: str, name: str) -> Paper:
    """A file of claims.

    Args:
        text: its YAML.
        name: of the file, for messages.

    Raises:
        ClearfiltersError: naming the file, the claim and the key that is wrong.
    """
    try:
        content = yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise ClearfiltersError(f"claims/{name}: not valid YAML ({error}); correct it") from None
    try:
        return Paper.model_validate(content)
    except ValidationError as error:
        claims = content.get("claims") if isinstance(content, Mapping) else None
        wrong = {
            str(_id(claims, detail["loc"][1]))
            for detail in error.errors()
            if len(detail["loc"]) > 1
        }
        about = f" ({', '.join(sorted(wrong))})" if wrong else ""
        raise explain(error, f"claims/{name}{about}", content) from None


def _id(claims: Any, number: int | str) -> Any:
    """The id of a claim that may be malformed."""
    record = claims[number] if isinstance(claims, list) and isinstance(number, int) else None
    return record.get("id", number) if isinstance(record, Mapping) else number


def check_ids(found: Iterable[Paper]) -> None:
    """Refuse two claims of one id.

    Raises:
        ClearfiltersError: naming it.
    """
    seen: dict[str, str] = {}
    for paper in found:
        for claim in paper.claims:
            if claim.id in seen:
                raise ClearfiltersError(
                    f"claims: `{claim.id}` stands both under {seen[claim.id]} and under "
                    f"{paper.paper}; give one of them another id"
                )
            seen[claim.id] = paper.paper
