"""Heads of convolutional fully connected layers, in place of the linear one behind pooling."""

from collections.abc import Sequence

from torch import Tensor, nn


class ConvolutionalHead(nn.Module):
    """Hidden layers with ReLU and dropout, and outputs: fc6, fc7, fc8 as convolutions.

    The first layer sees whole maps, those after it single numbers (interpretable CNNs, CVPR 2018;
    the authors' code writes fully connected layers so).
    """

    def __init__(
        self, filters: int, side: int, hidden: Sequence[int], outputs: int, dropout: float
    ) -> None:
        """Layers with He's initialisation.

        Args:
            filters: K, of the maps.
            side: of the maps, which are square, in cells.
            hidden: units of each hidden layer.
            outputs: of the last layer.
            dropout: the share of hidden units that are dropped in training, in [0, 1).
        """
        super().__init__()
        self.outputs = outputs
        layers: list[nn.Module] = []
        before, kernel = filters, side
        for units in hidden:
            layers += [nn.Conv2d(before, units, kernel), nn.ReLU(), nn.Dropout(dropout)]
            before, kernel = units, 1
        layers.append(nn.Conv2d(before, outputs, kernel))
        self.layers = nn.Sequential(*layers)
        for layer in self.layers:
            if isinstance(layer, nn.Conv2d):
                nn.init.kaiming_normal_(layer.weight, nonlinearity="relu")
                assert layer.bias is not None
                nn.init.zeros_(layer.bias)

    def forward(self, maps: Tensor) -> Tensor:
        """Maps A (N, K, side, side) -> logits (N, outputs), float32."""
        logits: Tensor = self.layers(maps.float()).flatten(1)
        return logits
