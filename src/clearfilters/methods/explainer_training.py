"""Explainers as a method: an encoder and a decoder above a trained performer (explainer.py)."""

import math
from dataclasses import replace
from typing import Self, cast

import torch
from torch import Tensor, nn

from clearfilters.errors import ClearfiltersError
from clearfilters.methods.explainer import (
    Encoded,
    Encoder,
    MixedFilterLoss,
    find_encoder,
    first_pull,
    magnitudes,
    positive_norms,
    reconstruction_errors,
    reconstruction_weight,
    second_pull,
)
from clearfilters.methods.filter_categories import image_categories
from clearfilters.methods.method import (
    THETA,
    Batch,
    Method,
    OptimizerSpec,
    ParameterGroup,
    as_trained,
    trained_parameters,
)
from clearfilters.methods.part_filters import FilterLoss, Pull
from clearfilters.models.classifier import Classifier
from clearfilters.models.performer import (
    above_features,
    place_of_encoder,
    pooled_features,
    reconstructed,
    with_encoder,
)
from clearfilters.params.methods import ExplainerParams
from clearfilters.params.slices import TrainingSlice
from clearfilters.params.training import TrainingParams
from clearfilters.training.inputs import Inputs, autocast, in_order

# What is summed over an epoch: squared errors and squares of the first layer and of the second, the
# cost of both, and images.
SUMS = 6


class Explainer(Method):
    """An explainer of a performer.

    `network` is the performer with an encoder in the place of its top convolution and the decoder
    for the two layers above it, so that what is tested, attacked and measured of any network is of
    the explainer.

    Attributes:
        params: the experiment's.
        performer: what the performer has above F, frozen.
        weights: lambda_l of the two layers (2,).
        factor: of the epoch, on the filter losses, a scalar.
        sums: over the epoch so far, (SUMS,).
        ratios: of the latest batch and of each layer, the norm of the filter loss's gradient over
            that of the reconstruction's, (2,).
        targets: the performer's outputs of each training row, where a row's input does not change
            and they are single numbers; else None.
    """

    weights: Tensor
    factor: Tensor
    sums: Tensor
    ratios: Tensor

    def __init__(self, performer: Classifier, parameters: TrainingSlice) -> None:
        """An explainer before its first epoch.

        Args:
            performer: the network that is explained; it is copied.
            parameters: of the explainer's training.

        Raises:
            ClearfiltersError: if an explainer cannot stand in it, or not where it is frozen.
        """
        params = parameters.method
        assert isinstance(params, ExplainerParams)
        place = place_of_encoder(performer)
        _check_boundary(parameters, place.above + 1)
        encoder = Encoder(
            place.channels,
            place.filters,
            place.pool,
            standardisation=place.standardisation,
            beta=params.beta,
            init_std=params.init_std,
            momentum=params.momentum,
            dead=params.dead,
        )
        super().__init__(with_encoder(performer, place, encoder), parameters.training)
        self.params = params
        self.performer = above_features(performer, place)
        outputs = performer.outputs
        self._losses = nn.ModuleList(
            MixedFilterLoss(filters, outputs, strength=1.0, alpha=params.alpha, keep=params.memory)
            for filters in (place.channels, place.filters)
        )
        # The classification stays the performer's.
        for parameter in self.network.parameters():
            parameter.requires_grad_(False)
        for module in (*encoder.convolutions, *decoder_of(self.network)):
            module.requires_grad_(True)
        encoder.w_p.requires_grad_(True)
        self.register_buffer("weights", torch.ones(2))
        self.register_buffer("factor", torch.ones(()), persistent=False)
        self.register_buffer("sums", torch.zeros(SUMS), persistent=False)
        self.register_buffer("ratios", torch.zeros(2), persistent=False)
        self.targets: tuple[Tensor, Tensor] | None = None

    @classmethod
    def build(cls, network: Classifier, parameters: TrainingSlice) -> Self:
        """Around a performer; raises as the constructor does."""
        return cls(network, parameters)

    @property
    def losses(self) -> list[FilterLoss]:
        """Of conv-interp-1 and of conv-interp-2."""
        return [cast(FilterLoss, loss) for loss in self._losses]

    @property
    def encoder(self) -> Encoder:
        """The network's."""
        found = find_encoder(self.network)
        assert found is not None
        return found

    def train(self, mode: bool = True) -> Self:
        """As ever, but the performer, and BatchNorm of what is copied from it, stay as tested."""
        super().train(mode)
        self.performer.eval()
        for module in self.network.modules():
            if isinstance(module, nn.BatchNorm2d):
                module.eval()
        return self

    def optimizers(self, training: TrainingParams) -> dict[str, OptimizerSpec]:
        """Convolutions and decoder have their own rates; w_p a constant one, so that p settles."""
        params, encoder = self.params, self.encoder
        convolutions = [p for layer in encoder.convolutions for p in layer.parameters()]
        decoder = [p for layer in decoder_of(self.network) for p in trained_parameters(layer)]
        groups = [
            ParameterGroup(convolutions),
            ParameterGroup(decoder, lr_factor=params.decoder_lr),
        ]
        share = [ParameterGroup([encoder.w_p], weight_decay_factor=0.0)]
        moved = as_trained(training, share, lr=params.p_lr)
        return {THETA: as_trained(training, groups), "p": replace(moved, scheduled=False)}

    @torch.no_grad()
    def begin(self, data: Inputs) -> None:
        """Take lambda_l, kappa and the share of each category's images from the training data."""
        layers = reconstructed(self.performer)
        norms: list[list[Tensor]] = [[], []]
        sums, count = torch.zeros((), device=data.labels.device), 0
        for inputs, labels in in_order(data):
            pooled = pooled_features(self.performer, inputs).float()
            chosen = self.positive(labels)
            sums = sums + magnitudes(pooled, chosen).mean() * chosen.sum()
            count += int(chosen.sum())
            for found, outputs in zip(norms, layers.outputs(pooled), strict=True):
                found.append(positive_norms(outputs))
        if count == 0:
            raise ClearfiltersError("method: explainer: no training image is of the category")
        for layer, found in enumerate(norms):
            self.weights[layer] = reconstruction_weight(
                self.params.reconstruction, torch.cat(found)
            )
        if self.params.keep_scale:
            self.encoder.scale.copy_(sums / count)
        shares = self.categories(data.labels).float().mean(dim=0)
        for loss in self.losses:
            loss.shares.copy_(shares)

    @torch.no_grad()
    def prepare(self, data: Inputs) -> None:
        """Keep the performer's outputs of each row, where its input is always the same."""
        if not data.is_fixed or self.performer.fc is None:
            return
        found: list[tuple[Tensor, Tensor]] = [self._targets(x) for x, _ in in_order(data)]
        first, second = zip(*found, strict=True)
        self.targets = (torch.cat(first), torch.cat(second))

    @torch.no_grad()
    def _targets(self, inputs: Tensor) -> tuple[Tensor, Tensor]:
        return reconstructed(self.performer).outputs(pooled_features(self.performer, inputs))

    def start_epoch(self, epoch: int) -> None:
        """Set the strength of the filter losses, and begin the epoch's sums."""
        self.factor.fill_(1 / (epoch + 1) if self.params.falling else 1.0)
        self.sums.zero_()

    def categories(self, labels: Tensor) -> Tensor:
        """Which category an image is of, bool (B, C)."""
        return image_categories(labels, self.network.outputs)

    def positive(self, labels: Tensor) -> Tensor:
        """Whether an image is of any category, bool (B,): background has no parts."""
        return self.categories(labels).any(dim=1)

    def cost(self, batch: Batch, phase: str) -> tuple[Tensor, Tensor]:
        """Eq. 1 as a mean over images, and the logits (B, outputs) from the reconstruction.

        Of the filter losses only the gradient counts.
        """
        encoder = self.encoder
        encoder.positive = self.positive(batch.labels)
        # The encoder takes what the frozen blocks give: `_check_boundary`.
        first, second = self.reconstruction(batch.inputs)
        encoded = encoder.take_encoded()
        logits = reconstructed(self.network).logits(second)
        task = self._task(batch, first, second, logits)
        cost = task - self.params.eta * torch.log(encoder.p)
        for pull in self._pulls(encoder, encoded, task, batch.labels):
            term = pull.term()
            cost = cost + (term - term.detach())
        return cost, logits

    def reconstruction(self, inputs: Tensor) -> tuple[Tensor, Tensor]:
        """What the decoder's two layers give for what the frozen blocks give, float32."""
        with autocast(inputs.device, self.precision):
            maps: Tensor = self.encoder(inputs)
        # Fully connected layers are never in bf16, blocks are: as `forward` has them.
        precision = self.precision if self.network.fc is None else "float32"
        with autocast(inputs.device, precision):
            first, second = reconstructed(self.network).outputs(maps)
        wide = torch.promote_types(first.dtype, torch.float32)
        return first.to(wide), second.to(wide)

    def _task(self, batch: Batch, first: Tensor, second: Tensor, logits: Tensor) -> Tensor:
        """The reconstruction's cost, or the classification's in its place; it also keeps sums."""
        if self.targets is None:
            wanted = self._targets(batch.inputs)
        else:
            wanted = (self.targets[0][batch.rows], self.targets[1][batch.rows])
        errors = [
            reconstruction_errors(*pair) for pair in zip((first, second), wanted, strict=True)
        ]
        cost = self.weights[0] * errors[0].mean() + self.weights[1] * errors[1].mean()
        with torch.no_grad():
            squares = [target.flatten(1).square().sum() for target in wanted]
            images = torch.full_like(cost, len(first))
            of_batch = [errors[0].sum(), squares[0], errors[1].sum(), squares[1], cost * images]
            self.sums += torch.stack([*of_batch, images])
        if self.params.target == "classification":
            return self.loss.cost(logits, batch.labels)
        return cost

    def _pulls(
        self, encoder: Encoder, encoded: Encoded, task: Tensor, labels: Tensor
    ) -> list[Pull]:
        """The filter losses of both layers, held at their ratio to the task's gradient."""
        ratio = self.params.ratio
        if ratio is None:
            for mask in (encoder.mask1, encoder.mask2):
                mask.take_seen()
            return []
        categories = self.categories(labels)
        pulls = [
            first_pull(encoder, self.losses[0], categories),
            second_pull(encoder, encoded, self.losses[1], categories),
        ]
        encoder.mask2.take_seen()
        gradients = torch.autograd.grad(task, [encoded.first, encoded.mixed], retain_graph=True)
        held = []
        for layer, (pull, gradient) in enumerate(zip(pulls, gradients, strict=True)):
            found = pull.held(gradient, self.factor * ratio, per_filter=True)
            self.ratios[layer] = (found.gradient.norm() / gradient.norm()).nan_to_num()
            held.append(found)
        return held

    def facts(self) -> dict[str, float]:
        """p; and of the epoch's images the relative errors, and the reconstruction's cost.

        `relative_error_{1,2}` of a layer: sqrt(sum ||x - x*||^2 / sum ||x*||^2).
        `filter_loss_{a,b}` of conv-interp-1 and -2, of the last batch: see `ratios`.
        """
        error1, squares1, error2, squares2, cost, images = self.sums.tolist()
        return {
            "p": float(self.encoder.p.detach()),
            "reconstruction": cost / images,
            "relative_error_1": math.sqrt(error1 / squares1),
            "relative_error_2": math.sqrt(error2 / squares2),
            "filter_loss_a": float(self.ratios[0]),
            "filter_loss_b": float(self.ratios[1]),
        }

    def take_given(self, trained: Method) -> None:
        """The performer, decoder and classification as they start, and what `begin` takes."""
        assert isinstance(trained, Explainer)
        super().take_given(trained)
        self.performer.load_state_dict(trained.performer.state_dict())
        own, others = (
            [*decoder_of(network), network.head if network.fc is None else network.fc]
            for network in (self.network, self.performer)
        )
        for mine, theirs in zip(own, others, strict=True):
            mine.load_state_dict(theirs.state_dict())
        self.weights.copy_(trained.weights)
        self.encoder.scale.copy_(trained.encoder.scale)

    def likely_cause(self, phase: str) -> str:
        """The weight of -log p, and the rate of w_p."""
        return "method.eta or method.p_lr is"


def _check_boundary(parameters: TrainingSlice, trained_blocks: int) -> None:
    """An explainer is trained above the frozen performer, from the encoder on.

    Raises:
        ClearfiltersError: if `finetune` says otherwise.
    """
    finetune = parameters.finetune
    if finetune is None or finetune.trained_blocks != trained_blocks:
        found = "is not given" if finetune is None else f"is {finetune.trained_blocks}"
        raise ClearfiltersError(
            f"finetune.trained_blocks {found}, but an explainer of `{parameters.model.name}` has "
            f"{trained_blocks} block(s) above its frozen performer; set it to {trained_blocks}"
        )


def decoder_of(network: Classifier) -> list[nn.Module]:
    """The two layers that a performer has, and an explainer reconstructs it with."""
    layers = reconstructed(network)
    return [layers.first, layers.second]
