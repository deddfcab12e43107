"""Fits the gate's three questions to pooled features; a fit without one kind of image costs seconds."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from inference.families.gate.network import GateNet

# A feature that hardly varies among bone films must not rule the distance.
_LEAST_SPREAD = 0.02


@dataclass(frozen=True)
class GateSettings:
    """How the gate is made; `tails` are the shares of bone films that each of the three questions may refuse.

    `source_evenness`: 1 lets every source of bone films count alike, 0 every film; of one source it changes nothing.
    """

    size: int = 128
    components: int = 64
    penalty: float = 3e-3
    evenness: float = 0.75
    made: int = 480
    made_share: float = 0.12
    shrinkage: float = 0.005
    tails: tuple[float, float, float] = (0.005, 0.002, 0.002)
    steps: int = 50
    source_evenness: float = 0.5


@dataclass(frozen=True)
class Material:
    """Features (N, D) of what the gate is fitted to.

    `bone` is fitted; `limit_sets` are bone films kept apart, each of which must pass: they set the limits. `others`
    and `made` are not bone, with the kind of each row in `kinds` and `made_kinds`. `bone_sources` names the source of
    each row of `bone` and `limit_sources` that of each limit set, where there are several.
    """

    bone: Tensor
    limit_sets: tuple[Tensor, ...]
    others: Tensor
    kinds: np.ndarray
    made: Tensor
    made_kinds: np.ndarray
    bone_sources: np.ndarray | None = None
    limit_sources: tuple[str, ...] = ()

    def without(self, kind: str) -> Material:
        """Return the material as if `kind` had never been seen."""
        keep = self.kinds != kind
        others = self.others[torch.from_numpy(keep)]
        return replace(self, others=others, kinds=self.kinds[keep])

    def without_source(self, name: str) -> Material:
        """Return the material as if no bone film of the source `name` had ever been seen, not even for the limits."""
        assert self.bone_sources is not None
        keep = self.bone_sources != name
        pairs = zip(self.limit_sets, self.limit_sources, strict=True)
        kept = [(films, source) for films, source in pairs if source != name]
        return replace(
            self,
            bone=self.bone[torch.from_numpy(keep)],
            bone_sources=self.bone_sources[keep],
            limit_sets=tuple(films for films, _ in kept),
            limit_sources=tuple(source for _, source in kept),
        )


def fit_gate(net: GateNet, material: Material, settings: GateSettings) -> None:
    """Fill the buffers of `net` from the material; its trunk stays as it is."""
    with torch.no_grad():
        _fit_space(net, material, settings)
        net.directions.copy_(_directions(net, material, settings))
    net.weights.copy_(_linear(net, material, settings))
    with torch.no_grad():
        answers = [net.oddness(films) for films in material.limit_sets]
        tails = zip(range(3), settings.tails, strict=True)
        limits = [max(float(a[:, j].quantile(1 - tail)) for a in answers) for j, tail in tails]
        net.limits.copy_(torch.tensor(limits))
        net.scales.copy_(torch.cat(answers).std(dim=0).clamp_min(1e-3))


def _fit_space(net: GateNet, material: Material, settings: GateSettings) -> None:
    """Centre and spread of the bone films' features, their main directions, and how much lies outside those."""
    bone = material.bone
    if material.bone_sources is None:
        net.centre.copy_(bone.mean(dim=0))
        net.spread.copy_(bone.std(dim=0) + _LEAST_SPREAD)
    else:
        share = _bone_shares(material, settings)[:, None]
        net.centre.copy_((share * bone).sum(dim=0))
        net.spread.copy_((share * (bone - net.centre) ** 2).sum(dim=0).sqrt() + _LEAST_SPREAD)
    values, vectors = torch.linalg.eigh(_covariance(net, material, settings))
    used = net.basis.shape[1]
    net.basis.copy_(vectors.flip(1)[:, :used])
    net.variances.copy_(values.flip(0)[:used].clamp_min(1e-6))
    net.unused.copy_(values.flip(0)[used:].clamp_min(0).sum().clamp_min(1e-6))


def _covariance(net: GateNet, material: Material, settings: GateSettings) -> Tensor:
    z = ((material.bone - net.centre) / net.spread).double()
    if material.bone_sources is not None:
        z = z * (_bone_shares(material, settings).double() * len(z)).sqrt()[:, None]
    return z.T @ z / len(z)


def _bone_shares(material: Material, settings: GateSettings) -> Tensor:
    """Return what each bone film counts, (N,), summing to 1: a source with few films counts more per film."""
    if material.bone_sources is None:
        return torch.full((len(material.bone),), 1 / len(material.bone))
    _, place, counts = np.unique(material.bone_sources, return_inverse=True, return_counts=True)
    own = counts[place].astype(float) ** -settings.source_evenness
    return torch.from_numpy(own / own.sum()).float()


def _directions(net: GateNet, material: Material, settings: GateSettings) -> Tensor:
    """Return (D, kinds): Fisher's discriminant of each kind against bone, so scaled that bone films have variance 1."""
    covariance = _covariance(net, material, settings)
    covariance += settings.shrinkage * covariance.diagonal().mean() * torch.eye(len(covariance), dtype=torch.float64)
    means = []
    for rows, kinds in ((material.others, material.kinds), (material.made, material.made_kinds)):
        for kind in np.unique(kinds):
            means.append(rows[torch.from_numpy(kinds == kind)].mean(dim=0))
    apart = ((torch.stack(means) - net.centre) / net.spread).double()
    found = torch.linalg.solve(covariance, apart.T)
    return (found / (apart.T * found).sum(dim=0).clamp_min(1e-9).sqrt()).float()


def _row_weights(material: Material, settings: GateSettings) -> Tensor:
    """One half for bone, one half for the rest; a kind with few images counts more per image, by `evenness`."""
    _, place, counts = np.unique(material.kinds, return_inverse=True, return_counts=True)
    own = counts[place].astype(float) ** -settings.evenness
    bone = 0.5 * _bone_shares(material, settings).double().numpy()
    others = 0.5 * (1 - settings.made_share) * own / own.sum()
    made = np.full(len(material.made), 0.5 * settings.made_share / len(material.made))
    return torch.from_numpy(np.concatenate([bone, others, made])).float()


def _linear(net: GateNet, material: Material, settings: GateSettings) -> Tensor:
    """Return the weights of a logistic regression, bone against the rest, with a ridge penalty.

    Its constant is left out: the limit that is set afterwards on bone films takes its place.
    """
    with torch.no_grad():
        rows = net.lift(torch.cat([material.bone, material.others, material.made]))[1]
    sign = torch.ones(len(rows))
    sign[len(material.bone) :] = -1
    share = _row_weights(material, settings)
    guess = torch.zeros(rows.shape[1] + 1, requires_grad=True)
    search = torch.optim.LBFGS(
        [guess], max_iter=settings.steps, history_size=20, tolerance_grad=1e-6, line_search_fn="strong_wolfe"
    )

    def loss() -> Tensor:
        search.zero_grad()
        margins = sign * (rows @ guess[:-1] + guess[-1])
        value = (share * functional.softplus(-margins)).sum() + settings.penalty * (guess[:-1] ** 2).sum()
        value.backward()
        return value

    search.step(loss)
    return guess.detach()[:-1]
