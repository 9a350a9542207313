"""Logistic regression with an L2 penalty, for the few hundred photos that a head is trained on."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize

Floats = NDArray[np.float64]


def fit_logistic(
    features: Floats, targets: Floats, weights: Floats, *, l2: float, max_steps: int = 300
) -> tuple[Floats, float]:
    """Weights and bias of the penalised maximum-likelihood fit; the bias is not penalised.

    Args:
        features: (n, d).
        targets: (n,), 0 to 1.
        weights: (n,) relative importance of each row.
        l2: strength of the penalty beside the mean log loss.
        max_steps: of the search, which ends sooner where it has arrived.
    """
    shares = weights / weights.sum()

    def loss_and_gradient(parameters: Floats) -> tuple[float, Floats]:
        slope, bias = parameters[:-1], parameters[-1]
        scores = features @ slope + bias
        loss = shares @ (np.logaddexp(0.0, scores) - targets * scores) + l2 / 2 * slope @ slope
        residuals = shares * (_sigmoid(scores) - targets)
        return float(loss), np.append(features.T @ residuals + l2 * slope, residuals.sum())

    start = np.zeros(features.shape[1] + 1)
    found = minimize(loss_and_gradient, start, jac=True, method="L-BFGS-B", options={"maxiter": max_steps})
    return found.x[:-1], float(found.x[-1])


def _sigmoid(scores: Floats) -> Floats:
    return 1.0 / (1.0 + np.exp(-np.clip(scores, -60.0, 60.0)))
