"""Use as a library: the blocks of docs/library.md, run word for word on a ResNet-18."""

import ast
import contextlib
import io
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import clearfilters

DOCUMENT = (Path(__file__).parents[1] / "docs/library.md").read_text()
BLOCKS = re.findall(r"```python\n(.*?)```", DOCUMENT, re.DOTALL)
GIVEN, GATE, PARTS, EXPLAINER, MEASURES, LOCATIONS = BLOCKS


def run(*blocks: str) -> dict[str, Any]:
    """The names that blocks leave behind, after the network and images they all begin with."""
    torch.manual_seed(0)
    names: dict[str, Any] = {}
    for block in (GIVEN, *blocks):
        with contextlib.redirect_stdout(io.StringIO()):
            exec(compile(block, "docs/library.md", "exec"), names)
    return names


@pytest.fixture(scope="module")
def gated() -> dict[str, Any]:
    return run(GATE, MEASURES)


@pytest.mark.parametrize("block", [GATE, PARTS, EXPLAINER])
def test_each_method_is_under_twenty_lines(block: str) -> None:
    assert len([line for line in block.splitlines() if line.strip()]) < 20


def test_the_gate_stays_in_its_space_and_becomes_sparser(gated: dict[str, Any]) -> None:
    values = gated["gate"].values.detach()
    assert values.shape == (4, 512)
    assert values.min() >= 0 and values.max() <= 1
    assert torch.all(values.amax(dim=0) == 1)
    assert torch.isfinite(gated["cost"])
    assert gated["density"] == pytest.approx(float(values.mean()))
    # Behind the first step every column has its 1; with no sparsity nothing falls so far.
    assert 0.25 <= gated["density"] < 0.6


def test_measures_of_the_gated_network(gated: dict[str, Any]) -> None:
    assert 0 <= gated["leakage"] <= 1
    entropy = -(0.25 * np.log(0.25) + 0.75 * np.log(0.75))
    assert 0 <= gated["mis"] <= entropy
    phi = gated["phi"]
    assert phi.converged and phi.test == phi.train >= 0
    assert np.all(phi.fitted_gate.max(axis=0) == 1)


@pytest.fixture(scope="module")
def with_parts() -> dict[str, Any]:
    return run(PARTS, LOCATIONS)


def test_maps_of_the_network_are_masked(with_parts: dict[str, Any]) -> None:
    network, images = with_parts["network"].eval(), with_parts["images"]
    found: list[torch.Tensor] = []
    mask = with_parts["mask"]
    hooks = [
        mask.register_forward_pre_hook(lambda _module, inputs: found.append(inputs[0])),
        mask.register_forward_hook(lambda _module, _inputs, output: found.append(output)),
    ]
    with torch.no_grad():
        network(images)
    for hook in hooks:
        hook.remove()
    before, after = found
    template = mask.see(before).templates.clamp(min=0)
    assert template.amin() < 1
    assert torch.equal(after, before * template)
    assert torch.isfinite(with_parts["cost"])


def test_the_filter_loss_reaches_the_network(with_parts: dict[str, Any]) -> None:
    network, mask, loss = (with_parts[name] for name in ("network", "mask", "filter_loss"))
    images, labels = with_parts["images"], with_parts["labels"]
    network.train().zero_grad()
    network(images)
    loss(mask, torch.nn.functional.one_hot(labels, 4) == 1).backward()
    # Of nothing but the filter loss.
    assert network.layer4[0].conv1.weight.grad.norm() > 0
    assert network.fc.weight.grad is None
    assert loss.known.all()


def test_locations_of_the_networks_filters(with_parts: dict[str, Any]) -> None:
    instability, r2 = with_parts["instability"], with_parts["r2"]
    assert instability.shape == r2.shape == (512,)
    live = ~np.isnan(instability)
    assert live.any()
    assert np.all(instability[live] >= 0) and np.all(r2[live] <= 1 + 1e-9)


def test_a_hold_on_the_filter_loss_is_at_its_ratio(with_parts: dict[str, Any]) -> None:
    network, mask, loss = (with_parts[name] for name in ("network", "mask", "filter_loss"))
    images, labels = with_parts["images"], with_parts["labels"]
    cost = torch.nn.functional.cross_entropy(network.train()(images), labels)
    pull = loss.pull(mask.take_seen(), torch.nn.functional.one_hot(labels, 4) == 1)
    gradient = torch.autograd.grad(cost, pull.maps, retain_graph=True)[0]
    held = pull.held(gradient, 0.1, per_filter=False)
    assert held.gradient.norm() == pytest.approx(0.1 * float(gradient.norm()), rel=1e-4)


def test_the_explainer_learns_with_its_own_weights_only() -> None:
    names = run(EXPLAINER)
    explainer, network, maps = names["explainer"], names["network"], names["below"](names["images"])
    assert torch.isfinite(names["cost"])
    assert 0 < float(explainer.encoder.p.detach()) < 1
    assert all(parameter.grad is None for parameter in network.parameters())
    for own, theirs in zip(explainer.layers, network.layer4, strict=True):
        for name, tensor in own.state_dict().items():
            assert torch.equal(tensor, theirs.state_dict()[name])
    assert not torch.equal(explainer.decoder[0].conv1.weight, network.layer4[0].conv1.weight)
    fresh = clearfilters.LayerExplainer(*network.layer4, channels=256, eta=10.0)
    fresh.begin(maps)
    assert float(explainer.cost(maps).detach()) < 0.9 * float(fresh.cost(maps).detach())


def exports() -> Iterator[tuple[str, str]]:
    """Module and name of what mypy is told that the package gives."""
    tree = ast.parse(Path(clearfilters.__file__).read_text())
    told = next(node for node in tree.body if isinstance(node, ast.If))
    for node in told.body:
        assert isinstance(node, ast.ImportFrom) and node.module
        yield from ((node.module, alias.name) for alias in node.names)


def test_what_is_exported_is_what_mypy_is_told_and_documented() -> None:
    told = dict((name, module) for module, name in exports())
    assert sorted(told) == sorted(clearfilters.__all__)
    for name, module in told.items():
        assert getattr(clearfilters, name) is getattr(sys.modules[module], name)
        assert getattr(clearfilters, name).__doc__
        assert f"`{name}`" in DOCUMENT.split("## What is exported")[1]


def test_importing_the_package_imports_nothing_else() -> None:
    loaded = "import clearfilters, sys; print(*sorted({m.split('.')[0] for m in sys.modules}))"
    done = subprocess.run(
        [sys.executable, "-c", loaded], capture_output=True, text=True, check=True
    )
    assert not {"torch", "numpy", "pandas", "sklearn"} & set(done.stdout.split())


def test_a_name_that_is_not_there_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="no attribute 'gate'"):
        _ = clearfilters.gate
