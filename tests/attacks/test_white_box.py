"""White-box attacks against steps written by hand, and against foolbox."""

from collections.abc import Callable
from typing import Any

import foolbox
import numpy as np
import pytest
import torch
import torchattacks
from torch import Tensor, nn

from clearfilters.attacks.batches import padded_batches
from clearfilters.attacks.white_box import IndependentCW, attack_images
from clearfilters.errors import ClearfiltersError
from clearfilters.models.classifier import Classifier, build_classifier
from clearfilters.params.attacks import CwParams, FgsmParams, PgdParams, WhiteBoxParams
from clearfilters.params.reading import parse
from clearfilters.params.slices import AdversarialSlice, TrainingSlice

CLASSES = 10
COUNT = 6
SIDE = 16


def fgsm(targeted: bool = True, eps: float = 0.05) -> FgsmParams:
    return FgsmParams(method="fgsm", targeted=targeted, eps=eps, train_per_class=1)


def pgd(targeted: bool = True, steps: int = 5) -> PgdParams:
    return PgdParams(
        method="pgd", targeted=targeted, eps=0.05, alpha=0.02, steps=steps, train_per_class=1
    )


def cw(targeted: bool = True, c: float = 5.0, lr: float = 0.02, steps: int = 8) -> CwParams:
    return CwParams(
        method="cw", targeted=targeted, c=c, kappa=0.0, steps=steps, lr=lr, train_per_class=1
    )


EVERY_ATTACK = [attack(targeted) for attack in (fgsm, pgd, cw) for targeted in (True, False)]


def name_of(params: WhiteBoxParams) -> str:
    return f"{params.method}-{'targeted' if params.targeted else 'untargeted'}"


every_attack = pytest.mark.parametrize("params", EVERY_ATTACK, ids=name_of)


@pytest.fixture
def images() -> Tensor:
    """Away from 0 and 1, so that no attack starts at a border."""
    generator = torch.Generator().manual_seed(1)
    return torch.rand(COUNT, 3, SIDE, SIDE, generator=generator) * 0.8 + 0.1


@pytest.fixture
def model(images: Tensor) -> Classifier:
    """A random network whose answers differ between the images."""
    torch.manual_seed(0)
    model = build_classifier(
        "resnet20", num_classes=CLASSES, width=4, mean=[0.5] * 3, std=[0.25] * 3
    ).eval()
    with torch.no_grad():
        model.head.bias -= model(images).mean(dim=0)
    return model


@pytest.fixture
def ranking(model: Classifier, images: Tensor) -> Tensor:
    """(COUNT, CLASSES): the model's classes, the answer first."""
    with torch.no_grad():
        return model(images).argsort(dim=1, descending=True)


def aims(ranking: Tensor, params: WhiteBoxParams) -> Tensor:
    """The second argument of an attack: the third class, or the answer to get away from."""
    return ranking[:, 2] if params.targeted else ranking[:, 0]


def linear_model(size: int) -> nn.Sequential:
    torch.manual_seed(2)
    return nn.Sequential(nn.Flatten(), nn.Linear(3 * size * size, CLASSES))


@pytest.mark.parametrize("targeted", [True, False])
@pytest.mark.parametrize("make", [fgsm, pgd])
def test_steps_by_hand_on_a_linear_model(make: Callable[[bool], Any], targeted: bool) -> None:
    """The gradient of the cross entropy of Wx + b is W^T (softmax - onehot)."""
    size, params = 4, make(targeted)
    model = linear_model(size)
    generator = torch.Generator().manual_seed(3)
    images = torch.rand(6, 3, size, size, generator=generator)  # some clipped at 0 and 1
    aimed = torch.randint(0, CLASSES, (6,), generator=generator)
    weight, bias = (part.detach().double().numpy() for part in model[1].parameters())
    start = images.double().flatten(1).numpy()
    moved = start.copy()
    alpha, steps = (params.alpha, params.steps) if params.method == "pgd" else (params.eps, 1)
    for _ in range(steps):
        logits = moved @ weight.T + bias
        softmax = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
        gradient = (softmax - np.eye(CLASSES)[aimed.numpy()]) @ weight
        moved = moved + alpha * np.sign(-gradient if targeted else gradient)
        moved = np.clip(np.clip(moved, start - params.eps, start + params.eps), 0, 1)
    found = attack_images(model, images, aimed, params, batch_size=4)
    assert found.shape == images.shape and found.dtype == torch.float32
    assert (moved == 0).any() or (moved == 1).any()
    np.testing.assert_allclose(found.flatten(1).numpy(), moved, atol=1e-6)


def test_an_untargeted_fgsm_as_in_foolbox(
    model: Classifier, images: Tensor, ranking: Tensor
) -> None:
    params = fgsm(targeted=False)
    labels = aims(ranking, params)
    other = foolbox.PyTorchModel(model, bounds=(0, 1), device="cpu")
    _, expected, _ = foolbox.attacks.FGSM()(other, images, labels, epsilons=params.eps)
    found = attack_images(model, images, labels, params, batch_size=COUNT)
    torch.testing.assert_close(found, expected, atol=1e-6, rtol=0)


def criterion(aimed: Tensor, targeted: bool) -> foolbox.criteria.Criterion:
    if targeted:
        return foolbox.criteria.TargetedMisclassification(aimed)
    return foolbox.criteria.Misclassification(aimed)


@pytest.mark.parametrize("targeted", [True, False])
def test_pgd_as_in_foolbox(
    model: Classifier, images: Tensor, ranking: Tensor, targeted: bool
) -> None:
    params = pgd(targeted)
    aimed = aims(ranking, params)
    attack = foolbox.attacks.LinfPGD(
        abs_stepsize=params.alpha, steps=params.steps, random_start=False
    )
    other = foolbox.PyTorchModel(model, bounds=(0, 1), device="cpu")
    _, expected, _ = attack(other, images, criterion(aimed, targeted), epsilons=params.eps)
    found = attack_images(model, images, aimed, params, batch_size=COUNT)
    torch.testing.assert_close(found, expected, atol=1e-6, rtol=0)


@pytest.mark.parametrize("saturated", [False, True])
@pytest.mark.parametrize("targeted", [True, False])
def test_cw_as_in_foolbox(
    model: Classifier, images: Tensor, ranking: Tensor, targeted: bool, saturated: bool
) -> None:
    """The same successes, and perturbations alike up to foolbox's shrinking of pixels by 1e-6."""
    params = cw(targeted)
    if saturated:
        images[:, :, : SIDE // 2] = images[:, :, : SIDE // 2].round()
        # They start on the flat end of the tanh: fewer and smaller steps do not get them away.
        params = cw(targeted, lr=0.5, steps=16)
    aimed = aims(ranking, params)
    attack = foolbox.attacks.L2CarliniWagnerAttack(
        binary_search_steps=1,
        steps=params.steps,
        stepsize=params.lr,
        initial_const=params.c,
        abort_early=False,
    )
    other = foolbox.PyTorchModel(model, bounds=(0, 1), device="cpu")
    expected, _, success = attack(other, images, criterion(aimed, targeted), epsilons=None)
    found = attack_images(model, images, aimed, params, batch_size=COUNT)
    assert success.any()
    with torch.no_grad():
        answers = model(found).argmax(dim=1)
    assert torch.equal((answers == aimed) == targeted, success)
    torch.testing.assert_close(found[success], expected[success], atol=2e-3, rtol=0)
    assert torch.equal(found[~success], images[~success])
    assert found.min() >= 0 and found.max() <= 1
    if saturated:
        ends = (images[success] == 0) | (images[success] == 1)
        assert (found[success] - images[success])[ends].abs().max() > 0.01


def test_cw_returns_the_image_where_it_finds_nothing(
    model: Classifier, images: Tensor, ranking: Tensor
) -> None:
    images[:, :, 0] = 1.0
    images[:, :, 1] = 0.0
    params = cw(steps=2, lr=1e-4)
    assert torch.equal(attack_images(model, images, ranking[:, 2], params, batch_size=4), images)


@every_attack
def test_pixels_and_perturbations_stay_in_bounds(
    model: Classifier, ranking: Tensor, params: WhiteBoxParams
) -> None:
    images = torch.rand(COUNT, 3, SIDE, SIDE).round(decimals=1)  # 0 and 1 among them
    found = attack_images(model, images, aims(ranking, params), params, batch_size=4)
    assert torch.isfinite(found).all() and found.min() >= 0 and found.max() <= 1
    if params.method != "cw":
        assert 0.01 < (found - images).abs().max() <= params.eps + 1e-6


@every_attack
def test_neither_order_nor_company_changes_a_result(
    model: Classifier, images: Tensor, ranking: Tensor, params: WhiteBoxParams
) -> None:
    """To the bit, for CW too: it makes all steps for every image."""
    aimed = aims(ranking, params)
    together = attack_images(model, images, aimed, params, batch_size=4)
    assert not torch.equal(together, images)
    order = torch.randperm(COUNT, generator=torch.Generator().manual_seed(4))
    shuffled = attack_images(model, images[order], aimed[order], params, batch_size=4)
    assert torch.equal(shuffled, together[order])
    for index in (0, COUNT - 1):
        chosen = slice(index, index + 1)
        alone = attack_images(model, images[chosen], aimed[chosen], params, batch_size=4)
        assert torch.equal(alone, together[chosen])


class Counting(nn.Module):
    """Counts forward passes."""

    def __init__(self, model: nn.Module) -> None:
        super().__init__()
        self.model = model
        self.passes = 0

    def forward(self, images: Tensor) -> Tensor:
        self.passes += 1
        logits: Tensor = self.model(images)
        return logits


def test_cw_makes_all_steps_where_the_cost_of_a_batch_rises(
    model: Classifier, images: Tensor, ranking: Tensor
) -> None:
    params = cw(lr=1.0)
    aimed = aims(ranking, params)
    theirs = Counting(model)
    attack = torchattacks.CW(theirs, c=params.c, kappa=params.kappa, steps=params.steps, lr=1.0)
    attack.set_mode_targeted_by_label(quiet=True)
    attack(images, aimed)
    assert theirs.passes < params.steps  # stopped
    ours = Counting(model)
    attack_images(ours, images, aimed, params, batch_size=COUNT)
    assert ours.passes == params.steps + 1  # one to see what the model returns


@pytest.mark.parametrize("targeted", [True, False])
def test_the_margin_of_cw_against_a_naive_loop(targeted: bool) -> None:
    """Its gradient: torchattacks' own has none for a target whose logit is negative."""
    attack = IndependentCW(linear_model(4), kappa=0.5)
    attack.targeted = targeted
    logits = torch.tensor(
        [[-3.0, -1.0, -2.0], [2.0, -1.0, 0.5], [-4.0, -1.0, -9.0]], requires_grad=True
    )
    labels = torch.tensor([0, 0, 1])
    expected = np.zeros((3, 3), np.float32)
    for row, label in enumerate(labels.tolist()):
        values = logits[row].tolist()
        best = max((value, k) for k, value in enumerate(values) if k != label)[1]
        sign = 1 if targeted else -1
        if sign * (values[best] - values[label]) > -attack.kappa:
            expected[row, best] += sign
            expected[row, label] -= sign
    assert expected.any()
    margins = attack.f(logits, labels)
    assert (margins == -torch.inf).all()  # never above an earlier cost
    margins.sum().backward()
    assert logits.grad is not None
    np.testing.assert_array_equal(logits.grad.numpy(), expected)


def test_cw_does_not_depend_on_a_constant_added_to_all_logits(
    images: Tensor,
) -> None:
    """Softmax and argmax do not, so an attack should not."""
    params = cw()
    targets = torch.arange(COUNT)
    found = []
    for offset in (0.0, -16.0):
        model = linear_model(SIDE)
        model[1].bias.data += offset
        found.append(attack_images(model, images, targets, params, batch_size=4))
    torch.testing.assert_close(found[0], found[1], atol=1e-3, rtol=0)
    assert not torch.equal(found[0], images)


@every_attack
def test_the_model_is_left_as_it_was(
    model: Classifier, images: Tensor, ranking: Tensor, params: WhiteBoxParams
) -> None:
    expected = attack_images(model, images[:2], aims(ranking, params)[:2], params, batch_size=2)
    model.train()
    model.backbone.blocks[0].eval()  # type: ignore[union-attr, index]
    model.head.requires_grad_(False)
    modes = [module.training for module in model.modules()]
    required = [parameter.requires_grad for parameter in model.parameters()]
    before = {key: value.clone() for key, value in model.state_dict().items()}
    found = attack_images(model, images[:2], aims(ranking, params)[:2], params, batch_size=2)
    assert torch.equal(found, expected)  # attacked in eval mode all the same
    assert [module.training for module in model.modules()] == modes
    assert [parameter.requires_grad for parameter in model.parameters()] == required
    assert all(parameter.grad is None for parameter in model.parameters())
    for key, value in model.state_dict().items():
        assert torch.equal(value, before[key])


def test_a_targeted_attack_does_not_stick(
    model: Classifier, images: Tensor, ranking: Tensor
) -> None:
    labels = ranking[:, 0]
    first = attack_images(model, images, labels, fgsm(targeted=False), batch_size=4)
    attack_images(model, images, labels, fgsm(targeted=True), batch_size=4)
    again = attack_images(model, images, labels, fgsm(targeted=False), batch_size=4)
    assert torch.equal(first, again)


@pytest.mark.parametrize(("count", "batches"), [(1, 1), (4, 1), (5, 2), (8, 2)])
def test_batches_are_full_and_hold_every_image_in_order(count: int, batches: int) -> None:
    found = padded_batches(count, 4)
    assert [len(batch) for batch in found] == [4] * batches
    assert torch.cat(found)[:count].tolist() == list(range(count))
    assert (torch.cat(found)[count:] == count - 1).all()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda images: images * 255, r"pixels lie in .*, 2\d\d.*; expected \[0, 1\]: divide"),
        (lambda images: images - 0.5, r"pixels lie in \[-0\.\d+, .*expected \[0, 1\]"),
        (lambda images: images.clone().fill_(torch.nan), r"pixels lie in \[nan"),
        (lambda images: (images * 255).byte(), r"images are torch\.uint8 \(6, 3, 16, 16\)"),
        (lambda images: images[0], r"\(3, 16, 16\); expected float32 \(N, 3, H, W\)"),
        (lambda images: images[:0], r"\(0, 3, 16, 16\); expected .* at least one"),
    ],
)
def test_images_outside_the_range_are_refused(
    model: Classifier,
    images: Tensor,
    change: Callable[[Tensor], Tensor],
    message: str,
) -> None:
    with pytest.raises(ClearfiltersError, match=message):
        attack_images(model, change(images), torch.zeros(COUNT).long(), pgd(), batch_size=4)


class Returning(nn.Module):
    """A model that returns something else than logits."""

    def __init__(self, answer: Callable[[Tensor], Any]) -> None:
        super().__init__()
        self.head = linear_model(SIDE)
        self.answer = answer

    def forward(self, images: Tensor) -> Any:
        return self.answer(self.head(images))


@pytest.mark.parametrize(
    ("answer", "found"),
    [
        (lambda logits: (logits, logits), "tuple"),
        (lambda logits: {"logits": logits}, "dict"),
        (lambda logits: logits[:, :, None, None], r"\(1, 10, 1, 1\)"),
        (lambda logits: logits.argmax(dim=1), r"\(1,\)"),
    ],
)
def test_a_model_without_one_logits_tensor_is_refused(
    images: Tensor, answer: Callable[[Tensor], Any], found: str
) -> None:
    model = Returning(answer).train()
    with pytest.raises(
        ClearfiltersError, match=rf"model returned {found} for one image; expected one logits"
    ):
        attack_images(model, images, torch.zeros(COUNT).long(), fgsm(), batch_size=4)
    assert model.training and all(p.requires_grad for p in model.parameters())


def test_an_unknown_method_is_named(make_slice: Callable[..., TrainingSlice]) -> None:
    slice_ = {
        **make_slice().model_dump(by_alias=True),
        "sampling": {"seed": 0, "test_per_class": 1, "batch_size": 4},
        "attack": {"method": "deepfool", "targeted": True, "train_per_class": 1},
    }
    with pytest.raises(
        ClearfiltersError, match=r"attack: .*one of fgsm, pgd, cw, found 'deepfool'"
    ):
        parse(AdversarialSlice, slice_)
