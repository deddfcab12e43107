"""Can the source of a film be told from what the network's head reads? Then "another scanner" is within its reach."""

from __future__ import annotations

from typing import Any

import numpy as np

from inference.lab.metrics.scores import auroc

_FOLDS = 4
_SEED = 5
_MOST_PER_SOURCE = 300


def probe_figures(features: dict[str, np.ndarray]) -> dict[str, Any]:
    """Return how well a linear classifier tells the sources of tumour-free films apart, cross-validated.

    `features` name float (N, D) per source; of each at most 300 films count, so that no source has the word.
    `recalls` are the shares of each source named right (chance is 1 / sources), `from_home` the AUROC of each source
    against films of home.
    """
    from sklearn.linear_model import LogisticRegression
    from sklearn.model_selection import StratifiedKFold, cross_val_predict
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    rng = np.random.default_rng(_SEED)
    names = list(features)
    chosen = [rng.permutation(len(features[name]))[:_MOST_PER_SOURCE] for name in names]
    values = np.concatenate([features[name][places] for name, places in zip(names, chosen, strict=True)])
    truth = np.repeat(np.arange(len(names)), [len(places) for places in chosen])
    folds = StratifiedKFold(min(_FOLDS, int(np.bincount(truth).min())), shuffle=True, random_state=_SEED)
    model = make_pipeline(StandardScaler(), LogisticRegression(C=0.01, max_iter=400, class_weight="balanced"))
    chances = cross_val_predict(model, values, truth, cv=folds, method="predict_proba")
    named = chances.argmax(axis=1)
    recalls = {name: round(float((named[truth == k] == k).mean()), 4) for k, name in enumerate(names)}
    found: dict[str, Any] = {
        "films": {name: len(places) for name, places in zip(names, chosen, strict=True)},
        "recalls": recalls,
        "balanced_accuracy": round(float(np.mean(list(recalls.values()))), 4),
        "chance": round(1 / len(names), 4),
    }
    if "home" in names:
        home = names.index("home")
        found["from_home"] = {
            name: round(auroc(truth[pair] == k, (chances[:, k] - chances[:, home])[pair]), 4)
            for k, name in enumerate(names)
            if k != home and (pair := (truth == k) | (truth == home)).any()
        }
    return found
