"""Mask R-CNN (He et al. 2017) on MobileNetV2 with a small pyramid: lesions as boxes, classes and masks."""

from __future__ import annotations

from collections import OrderedDict

import torch
from torch import Tensor, nn
from torch.nn import functional
from torchvision.models.detection import MaskRCNN
from torchvision.models.detection.faster_rcnn import FastRCNNPredictor, TwoMLPHead
from torchvision.models.detection.mask_rcnn import MaskRCNNHeads, MaskRCNNPredictor
from torchvision.models.detection.rpn import AnchorGenerator
from torchvision.ops import FeaturePyramidNetwork, MultiScaleRoIAlign

from inference.families.joint.network import Answer, Encoder

_WIDTH = 64
_LEVELS = ("0", "1", "2")
# Sides in pixels per level (strides 8, 16, 32): the median lesion measures 24 of 256 pixels.
_ANCHORS = ((8, 16), (28, 44), (70, 120))
# A score below which nothing is reported; it stands for "nothing found", so that logits stay finite.
_FLOOR = 0.005
_CELLS = 64


class Pyramid(nn.Module):
    """Encoder and feature pyramid (Lin et al. 2017) at strides 8, 16 and 32."""

    def __init__(self, frozen: int) -> None:
        super().__init__()
        self.encoder = Encoder(frozen)
        self.merge = FeaturePyramidNetwork([32, 96, 1280], _WIDTH)
        self.out_channels = _WIDTH

    def forward(self, images: Tensor) -> OrderedDict[str, Tensor]:
        found = self.encoder(images)[1:]
        return self.merge(OrderedDict(zip(_LEVELS, found, strict=True)))


def _detector(frozen: int, proposals: int) -> MaskRCNN:
    ratios = ((0.5, 1.0, 2.0),) * len(_ANCHORS)
    return MaskRCNN(
        Pyramid(frozen),
        image_mean=[0.0],
        image_std=[1.0],
        _skip_resize=True,
        rpn_anchor_generator=AnchorGenerator(_ANCHORS, ratios),
        rpn_pre_nms_top_n_train=4 * proposals,
        rpn_pre_nms_top_n_test=4 * proposals,
        rpn_post_nms_top_n_train=proposals,
        rpn_post_nms_top_n_test=proposals,
        rpn_batch_size_per_image=64,
        box_roi_pool=MultiScaleRoIAlign(list(_LEVELS), 7, 2),
        box_head=TwoMLPHead(_WIDTH * 49, 128),
        box_predictor=FastRCNNPredictor(128, 3),
        box_score_thresh=_FLOOR,
        box_detections_per_img=8,
        box_batch_size_per_image=32,
        mask_roi_pool=MultiScaleRoIAlign(list(_LEVELS), 14, 2),
        mask_head=MaskRCNNHeads(_WIDTH, (_WIDTH, _WIDTH), 1),
        mask_predictor=MaskRCNNPredictor(_WIDTH, 32, 3),
    )


class MaskNet(nn.Module):
    """Grey films (N, 1, H, W), sides divisible by 32, to an Answer; class 1 is benign, class 2 malignant."""

    def __init__(self, frozen: int = 1, proposals: int = 64) -> None:
        super().__init__()
        self.detector = _detector(frozen, proposals)

    @property
    def encoder(self) -> Encoder:
        return self.detector.backbone.encoder

    def loss(self, images: Tensor, targets: list[dict[str, Tensor]]) -> Tensor:
        """Return the sum of torchvision's five losses; targets hold boxes (K, 4), labels (K,), masks (K, H, W)."""
        return torch.stack(list(self.detector(list(images), targets).values())).sum()

    def forward(self, images: Tensor) -> Answer:
        """Ask the best detection of each class, and paste every mask, weighed with its score, into 64x64 cells."""
        found = self.detector(list(images))
        pixels = torch.stack([_pasted(one, images.shape[-2:]) for one in found])
        cells = functional.adaptive_avg_pool2d(pixels, _CELLS)
        best = torch.stack([torch.stack([_best(one, label) for label in (1, 2)]) for one in found])
        tumour = 1 - (1 - best).prod(dim=1)
        logits = torch.stack([torch.logit(tumour, eps=1e-6), torch.log(best[:, 1] / best[:, 0])], dim=1)
        return Answer(logits, torch.logit(cells, eps=1e-4))


def _best(found: dict[str, Tensor], label: int) -> Tensor:
    scores = found["scores"][found["labels"] == label]
    return torch.cat([scores, scores.new_tensor([_FLOOR])]).amax()


def _pasted(found: dict[str, Tensor], size: torch.Size) -> Tensor:
    """Return for each pixel (H, W) the highest product of score and mask."""
    weighed = found["masks"][:, 0] * found["scores"][:, None, None]
    return torch.cat([weighed, weighed.new_zeros(1, *size)]).amax(dim=0)
