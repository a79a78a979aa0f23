"""The baseline: the loop that most CIFAR-10 code has.

PIL images from a `DataLoader` with two workers, torchvision's RandomCrop(32, 4), flip, ToTensor
and Normalize, float32, SGD. The same ResNet20, batch and optimizer settings as ours.
"""

from collections.abc import Iterable

import torch
from PIL import Image
from torch import Tensor
from torch.nn import functional as F
from torch.utils.data import DataLoader, Dataset
from torchvision import transforms

from benchmarks import workload
from clearfilters.data.store import Split

WORKERS = 2


class PilImages(Dataset[tuple[Tensor, int]]):
    """Images as torchvision's CIFAR10 serves them: an array turned into a PIL image per access."""

    def __init__(self, split: Split) -> None:
        self.split = split
        self.transform = transforms.Compose(
            [
                transforms.RandomCrop(workload.SIDE, 4),
                transforms.RandomHorizontalFlip(),
                transforms.ToTensor(),
                transforms.Normalize(workload.MEAN, workload.STD),
            ]
        )

    def __len__(self) -> int:
        return len(self.split.labels)

    def __getitem__(self, index: int) -> tuple[Tensor, int]:
        image = Image.fromarray(self.split.images[index])
        return self.transform(image), int(self.split.labels[index])


class UsualLoop:
    """The loop's network, optimizer and loader; workers stay alive between epochs."""

    def __init__(self, split: Split, where: torch.device) -> None:
        model = workload.network().to(where)
        self.device = where
        self.backbone = model.backbone
        self.head = model.head
        self.maps = model.parts.feature_maps  # the normalisation is among the transforms
        self.optimizer = torch.optim.SGD(
            self.backbone.parameters(), lr=0.1, momentum=0.9, weight_decay=0.0001
        )
        self.loader: Iterable[tuple[Tensor, Tensor]] = DataLoader(
            PilImages(split),
            batch_size=workload.BATCH,
            shuffle=True,
            num_workers=WORKERS,
            persistent_workers=True,
            pin_memory=where.type == "cuda",
        )

    def epoch(self) -> float:
        """One pass over the images; returns the mean loss of its last batch."""
        self.backbone.train()
        loss = torch.zeros(())
        for images, labels in self.loader:
            images, labels = images.to(self.device), labels.to(self.device)
            loss = F.cross_entropy(self.head(self.maps(images).mean(dim=(2, 3))), labels)
            self.optimizer.zero_grad()
            loss.backward()
            self.optimizer.step()
        return loss.item()
