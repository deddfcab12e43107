"""The networks that an experiment can name, each built from its options and started as the experiment says."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import nn

from inference.errors import DataError
from inference.families.joint.network import JointNet
from inference.lab.networks import classifier
from inference.lab.networks.efficientnet_lite import efficientnet_lite
from inference.lab.networks.mask_rcnn import MaskNet
from inference.lab.networks.paper import PaperNet
from inference.lab.networks.pretrained import start_efficientnet_lite, start_encoder, start_mobilenet_v2
from inference.lab.networks.unet import UNet
from inference.lab.recipes.experiment import Experiment

# Options of an architecture that belong to the backbone; the others are the head's.
_BACKBONE_OPTIONS = ("frozen",)


def _joint(experiment: Experiment, fill: bool) -> nn.Module:
    network = JointNet(size=experiment.size, **experiment.architecture)
    if fill:
        start_encoder(network.encoder)
    return network


def _paper_cnn(experiment: Experiment, _fill: bool) -> nn.Module:
    return PaperNet(size=experiment.size, **experiment.architecture)


def _mobilenet_v2(experiment: Experiment, fill: bool) -> nn.Module:
    encoder, head = _options(experiment)
    backbone = classifier.mobilenet_v2(**encoder)
    if fill:
        start_mobilenet_v2(backbone)
    return classifier.Classifier(backbone, **head)


def _lite(variant: int) -> Builder:
    def build(experiment: Experiment, fill: bool) -> nn.Module:
        encoder, head = _options(experiment)
        backbone = efficientnet_lite(variant, **encoder)
        if fill:
            start_efficientnet_lite(backbone, variant)
        return classifier.Classifier(backbone, **head)

    return build


def _vgg16(experiment: Experiment, _fill: bool) -> nn.Module:
    return classifier.Classifier(classifier.vgg16(), **experiment.architecture)


def _resnet50(experiment: Experiment, _fill: bool) -> nn.Module:
    return classifier.Classifier(classifier.resnet50(), **experiment.architecture)


def _unet(experiment: Experiment, fill: bool) -> nn.Module:
    network = UNet(**experiment.architecture)
    if fill:
        start_encoder(network.encoder)
    return network


def _mask_rcnn(experiment: Experiment, fill: bool) -> nn.Module:
    network = MaskNet(**experiment.architecture)
    if fill:
        start_encoder(network.encoder)
    return network


def _options(experiment: Experiment) -> tuple[dict, dict]:
    """Divide the architecture's options between backbone and head."""
    options = experiment.architecture
    encoder = {name: value for name, value in options.items() if name in _BACKBONE_OPTIONS}
    return encoder, {name: value for name, value in options.items() if name not in _BACKBONE_OPTIONS}


Builder = Callable[[Experiment, bool], nn.Module]
BUILDERS: dict[str, Builder] = {
    "joint": _joint,
    "paper_cnn": _paper_cnn,
    "mobilenet_v2": _mobilenet_v2,
    "efficientnet_lite0": _lite(0),
    "efficientnet_lite1": _lite(1),
    "efficientnet_lite2": _lite(2),
    "vgg16": _vgg16,
    "resnet50": _resnet50,
    "unet": _unet,
    "mask_rcnn": _mask_rcnn,
}
# Of these no ImageNet weights are to be had; an experiment that asks for them is mistaken.
_FROM_SCRATCH = ("paper_cnn", "vgg16", "resnet50")


def build_network(experiment: Experiment, *, fill: bool = True) -> nn.Module:
    """Return the experiment's network, ready to train; it answers grey images (N, 1, H, W) with an `Answer`.

    `fill` False leaves the start from ImageNet out, for whoever loads trained weights next: it needs no package.
    """
    if experiment.network not in BUILDERS:
        raise DataError("bad_experiment", f"{experiment.name}: there is no network {experiment.network}.")
    imagenet = experiment.start == "imagenet"
    if imagenet and experiment.network in _FROM_SCRATCH:
        raise DataError("bad_experiment", f"{experiment.name}: {experiment.network} has no ImageNet weights here.")
    torch.manual_seed(experiment.seed)
    try:
        network = BUILDERS[experiment.network](experiment, fill and imagenet)
    except TypeError as error:
        raise DataError("bad_experiment", f"{experiment.name}: architecture: {error}") from error
    return network.to(memory_format=torch.channels_last)
