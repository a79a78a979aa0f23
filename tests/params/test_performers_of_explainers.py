"""Experiments that explain others: what they name, and what is refused."""

from typing import Any

import pytest
from dotted import set_key

from clearfilters.errors import ClearfiltersError
from clearfilters.params.jobs import jobs
from clearfilters.params.loading import load_params
from clearfilters.params.slices import analyses_of, training_slice

Content = dict[str, Any]
PERFORMER = "rendered-cat-ordinary"


@pytest.fixture
def explained(default_params: Content, explainer_block: Any) -> Content:
    """The default parameters with a performer and its explainer, and nothing else."""
    default_params["experiments"] |= {
        "explained": {
            "label": "an explainer",
            "role": "explainer",
            "performer": PERFORMER,
            "seeds": [0],
            "method": explainer_block(),
            "finetune": {"weights": None, "trained_blocks": 1, "views": 1, "kept_as": "float16"},
        }
    }
    for key in ("localized", "pictured", "mis_floors"):
        default_params["run"][key] = []
    default_params["run"] |= {"experiments": [PERFORMER, "explained"], "tradeoff": None}
    default_params["attacks"]["experiments"] = []
    return default_params


def test_an_explainer_has_the_network_and_the_data_of_its_performer(explained: Content) -> None:
    params = load_params(explained)
    performer, explainer = jobs(params)
    assert explainer.performer == performer
    assert (explainer.model, explainer.dataset) == (performer.model, performer.dataset)
    found, its = training_slice(params, explainer), training_slice(params, performer)
    assert found["performer"] == its and "performer" not in its
    assert found["data"] == its["data"] and found["model"] == its["model"]
    assert "explanation" in analyses_of(params, explainer)
    assert "explanation" not in analyses_of(params, performer)
    assert "part_location" in analyses_of(params, explainer)
    assert "part_location" in analyses_of(params, performer)


def test_of_a_performer_with_one_output_no_classes_are_measured(explained: Content) -> None:
    explained["experiments"][PERFORMER]["model"] = {"name": "resnet101"}
    explained["experiments"][PERFORMER]["finetune"]["weights"] = "torchvision"
    explained["experiments"]["explained"]["finetune"]["trained_blocks"] = 3
    params = load_params(explained)
    own = {"explanation", "part_contributions"}
    for job in jobs(params):
        assert set(analyses_of(params, job)) - own == {"part_location"}


@pytest.mark.parametrize(
    ("key", "value", "message"),
    [
        ("performer", None, "with method explainer, give `performer`, and no `model`"),
        ("model", {"name": "resnet8", "width": 4}, "give `performer`, and no `model`"),
        ("dataset", "digits", "an explainer has its performer's data set"),
        ("training", {"compile": True}, "is not compiled"),
        ("finetune", None, "give `finetune` with weights: null"),
        ("finetune.weights", "package", "give `finetune` with weights: null"),
        ("role", "ordinary", "role ordinary does not fit the method"),
        ("method.target", "classification", "role explainer does not fit the method"),
        ("method.eta", -1.0, "method.eta"),
        ("method.dead", 1.5, "method.dead"),
        ("method.target", "features", "method.target"),
    ],
)
def test_what_an_explainer_must_not_say(
    explained: Content, key: str, value: Any, message: str
) -> None:
    set_key(explained, f"experiments.explained.{key}", value)
    with pytest.raises(ClearfiltersError, match=f"experiments.explained.*{message}"):
        load_params(explained)


def test_a_network_of_another_method_has_no_performer(explained: Content) -> None:
    explained["experiments"][PERFORMER]["performer"] = "explained"
    with pytest.raises(ClearfiltersError, match="with method std, give `model`, and no `perf"):
        load_params(explained)


def refused(content: Content) -> str:
    """The message."""
    with pytest.raises(ClearfiltersError) as caught:
        load_params(content)
    return str(caught.value)


def test_a_performer_that_is_not_defined_is_named(explained: Content) -> None:
    explained["experiments"]["explained"]["performer"] = "nobody"
    assert "experiments.explained.performer: no experiment `nobody`" in refused(explained)


def test_a_performer_that_is_not_trained_is_named(explained: Content) -> None:
    explained["run"]["experiments"] = ["explained"]
    message = refused(explained)
    assert f"the run trains no `{PERFORMER}` with seed 0; add it to run.experiments" in message


def test_a_performer_may_stand_behind_its_explainer(explained: Content) -> None:
    explained["run"]["experiments"] = ["explained", PERFORMER]
    found = {job.experiment: job for job in jobs(load_params(explained))}
    assert found["explained"].performer == found[PERFORMER]


def test_a_performer_of_other_seeds_is_named(explained: Content) -> None:
    explained["experiments"]["explained"]["seeds"] = [0, 3]
    assert f"the run trains no `{PERFORMER}` with seed 3" in refused(explained)


def test_an_explainer_classifies_as_its_performer_does(explained: Content) -> None:
    found = {job.experiment: job for job in jobs(load_params(explained))}
    assert found["explained"].training.loss == found[PERFORMER].training.loss == "logistic"
    explained["experiments"]["explained"]["training"] = {"loss": "softmax"}
    assert "training.loss: softmax, but what it explains" in refused(explained)


def test_only_ordinary_networks_are_explained(explained: Content) -> None:
    explained["experiments"]["explained"]["performer"] = "rendered-cat-interpretable"
    assert "has the role interpretable" in refused(explained)


def test_an_explainer_is_no_performer(explained: Content) -> None:
    again = {**explained["experiments"]["explained"], "label": "again", "performer": "explained"}
    explained["experiments"]["again"] = again
    explained["run"]["experiments"].append("again")
    assert "`explained` is an explainer itself; name what it explains" in refused(explained)


def test_an_explainer_is_no_base_of_the_trade_offs_grid(explained: Content) -> None:
    explained["run"]["tradeoff"] = {
        "base": "explained", "lambdas": [1.0], "a": [0.1], "seeds": [0], "training": {},
    }  # fmt: skip
    assert "run.tradeoff.base: `explained` has no LSG objective" in refused(explained)
