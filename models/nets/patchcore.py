"""PatchCore as one graph: features of every place and their distance to the nearest vector of a memory bank."""

import torch
from torch import Tensor, nn
from torch.nn import functional

from andon.models.nets.efficientnet import LiteFeatures

GROUP = 16


class PatchFeatures(nn.Module):
    """Features of both strides, joined on the coarser grid.

    Roth et al. (CVPR 2022, section 3.1) average over 3x3 places and join on the finer grid. Here the finer features are
    averaged over the 2x2 places that make a cell of the coarser grid, and no further: the search costs a quarter, and
    defects that are small against the receptive field stand out more. Measured in docs/adr/0003.
    """

    def __init__(self, backbone: nn.Module) -> None:
        super().__init__()
        self.backbone = backbone

    def forward(self, image: Tensor) -> Tensor:
        """Describe ``image``, uint8 ``[1, height, width, 3]``: float32 ``[1, 152, height / 16, width / 16]``."""
        fine, coarse = self.backbone(image)
        return torch.cat([functional.avg_pool2d(fine, 2, ceil_mode=True), coarse], dim=1)


class PatchCore(nn.Module):
    """Features of an image and their distances to the nearest vector of ``bank``.

    The nearest is found by inner products, ``argmax(x.b - |b|^2 / 2)``, in groups of sixteen; its distance is then
    recomputed as ``|x - b|``, because ``|x|^2 - 2 x.b + |b|^2`` cancels where a place equals its neighbour.
    """

    dimensions = 40 + 112

    def __init__(self) -> None:
        super().__init__()
        self.patches = PatchFeatures(LiteFeatures())

    def forward(self, image: Tensor, bank: Tensor) -> tuple[Tensor, Tensor]:
        """Return features ``[rows * columns, d]`` and distances ``[rows, columns]``.

        Parameters
        ----------
        image
            uint8 ``[1, height, width, 3]``.
        bank
            float32 ``[m, d]``, m a multiple of 16.
        """
        maps = self.patches(image)
        features = maps.flatten(2).transpose(1, 2)[0]
        similarity = torch.addmm(-0.5 * bank.square().sum(dim=1), features, bank.t())
        groups = similarity.reshape(similarity.shape[0], -1, GROUP)
        best_group = groups.amax(dim=2).argmax(dim=1)
        members = groups.gather(1, best_group[:, None, None].expand(-1, 1, GROUP))[:, 0]
        nearest = bank[best_group * GROUP + members.argmax(dim=1)]
        distances = (features - nearest).square().sum(dim=1).sqrt()
        return features, distances.reshape(maps.shape[-2:])
