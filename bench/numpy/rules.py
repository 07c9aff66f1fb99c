"""The rules in numpy, float32, straightforward but the fast way: sort along the first axis, one matrix product for
distances, selection before averaging. Rows U have shape [n, d]; definitions and papers are those of docs/spec/rules.md,
without the fixed point. `f` is the number of Byzantine rows tolerated."""

from itertools import combinations

import numpy as np


def mean(U, f, options):
    return U.mean(axis=0)


def median(U, f, options):
    return np.median(U, axis=0)


def median_by_sorting(U, f, options):
    n = len(U)
    ordered = np.sort(U, axis=0)
    return (ordered[(n - 1) // 2] + ordered[n // 2]) / 2


def trimmed_mean(U, f, options):
    return np.sort(U, axis=0)[f : len(U) - f].mean(axis=0)


def nearest_median(U, keep):
    distance = np.abs(U - np.median(U, axis=0))
    nearest = np.argpartition(distance, keep - 1, axis=0)[:keep]
    return np.take_along_axis(U, nearest, axis=0).mean(axis=0)


def meamed(U, f, options):
    return nearest_median(U, len(U) - f)


def gram(U, f, options):
    return U @ U.T


def squared_distances(U):
    return distances_of(U @ U.T)


def distances_of(G):
    norms = np.diag(G)
    return np.maximum(norms[:, None] + norms[None, :] - 2 * G, 0)


def krum_scores(D, f):
    # the distance to itself comes first
    return np.sort(D, axis=1)[:, 1 : len(D) - f - 1].sum(axis=1)


def krum(U, f, options):
    return U[np.argmin(krum_scores(squared_distances(U), f))].copy()


def multi_krum(U, f, options):
    scores = krum_scores(squared_distances(U), f)
    return U[np.argsort(scores, kind="stable")[: len(U) - f]].mean(axis=0)


def bulyan(U, f, options):
    D = squared_distances(U)
    left = list(range(len(U)))
    chosen = []
    while len(chosen) < len(U) - 2 * f:
        scores = krum_scores(D[np.ix_(left, left)], f) if len(left) > f + 2 else np.zeros(len(left))
        chosen.append(left.pop(int(np.argmin(scores))))
    return nearest_median(U[chosen], len(chosen) - 2 * f)


def geometric_median(U, f, options):
    """Weiszfeld's algorithm over the data."""
    v = U.mean(axis=0)
    for _ in range(8):
        distances = np.array([np.linalg.norm(row - v) for row in U])
        weights = smoothed_weights(distances)
        v = (weights / weights.sum()) @ U
    return v


def geometric_median_of_gram(U, f, options):
    """The same on the matrix of inner products, as Assay does it."""
    G = (U @ U.T).astype(np.float64)
    weights = np.full(len(U), 1 / len(U))
    for _ in range(8):
        squares = np.diag(G) - 2 * G @ weights + weights @ G @ weights
        weights = smoothed_weights(np.sqrt(np.maximum(squares, 0)))
        weights /= weights.sum()
    return weights.astype(np.float32) @ U


def smoothed_weights(distances):
    nu = np.sort(distances)[len(distances) // 2] / 16
    return (1 / np.maximum(distances, nu)).astype(np.float32)


def centered_clipping(U, f, options):
    v = np.zeros(U.shape[1], dtype=np.float32)
    for _ in range(3):
        distances = np.array([np.linalg.norm(row - v) for row in U])
        factors = np.minimum(1, options["radius"] / np.maximum(distances, 1e-12)).astype(np.float32)
        v = v + (factors @ U - factors.sum() * v) / len(U)
    return v


def neighbors(G, f):
    return np.argsort(distances_of(G), axis=1, kind="stable")[:, : len(G) - f]


def nnm_by_gathering(U, f, options):
    """As the reference library does it: the neighbours' rows are gathered, then averaged."""
    return U[neighbors(U @ U.T, f)].mean(axis=1)


def nnm_by_product(U, f, options):
    """As one matrix product."""
    return nearest_weights(U @ U.T, f) @ U


def nearest_weights(G, f):
    W = np.zeros(G.shape, dtype=np.float32)
    np.put_along_axis(W, neighbors(G, f), np.float32(1 / (len(G) - f)), axis=1)
    return W


def nnm_trimmed_mean_by_gathering(U, f, options):
    return trimmed_mean(nnm_by_gathering(U, f, options), f, options)


def nnm_trimmed_mean_by_product(U, f, options):
    return trimmed_mean(nnm_by_product(U, f, options), f, options)


def clip_factors(G, f):
    n = len(G)
    norms = np.sqrt(np.diag(G))
    bound = np.sort(norms)[-1 - int(2 * f * (n - f) / n)]
    return np.minimum(1, bound / np.maximum(norms, 1e-12)).astype(np.float32)


def arc(U, f, options):
    factors = clip_factors(U @ U.T, f)
    return factors @ U / len(U)


def arc_nnm_trimmed_mean(U, f, options):
    return nnm_trimmed_mean_by_product(U * clip_factors(U @ U.T, f)[:, None], f, options)


def mda(U, f, options):
    D = squared_distances(U)
    sets = np.array(list(combinations(range(len(U)), len(U) - f)))
    diameters = np.zeros(len(sets), dtype=D.dtype)
    for i in range(sets.shape[1]):
        for j in range(i):
            np.maximum(diameters, D[sets[:, i], sets[:, j]], out=diameters)
    return U[sets[np.argmin(diameters)]].mean(axis=0)


def monna(U, f, options):
    distances = np.array([np.linalg.norm(row - U[0]) for row in U])
    return U[np.argsort(distances, kind="stable")[: len(U) - f]].mean(axis=0)


def cosines(U):
    G = U @ U.T
    norms = np.sqrt(np.diag(G))
    return G / np.maximum(norms[:, None] * norms[None, :], 1e-12)


def foolsgold(U, f, options):
    C = cosines(U).astype(np.float64)
    np.fill_diagonal(C, 0)
    most = C.max(axis=1)
    pardon = np.where(most[None, :] > most[:, None], most[:, None] / np.where(most == 0, 1, most)[None, :], 1)
    alpha = np.clip(1 - (C * pardon).max(axis=1), 0, 1)
    alpha = alpha / alpha.max()
    alpha[alpha == 1] = 0.99
    with np.errstate(divide="ignore"):
        weights = np.clip(np.log(alpha / (1 - alpha)) + 0.5, 0, 1)
    return (weights / weights.sum()).astype(np.float32) @ U


def fltrust(U, f, options):
    norms = np.linalg.norm(U, axis=1)
    trust = np.maximum(U @ U[0] / (norms * norms[0]), 0)
    trust[0] = 0
    return (trust * norms[0] / norms / trust.sum()).astype(np.float32) @ U


RULES = {
    "mean": mean,
    "median": median,
    "median by sorting": median_by_sorting,
    "trimmed mean": trimmed_mean,
    "meamed": meamed,
    "gram": gram,
    "krum": krum,
    "multi-krum": multi_krum,
    "bulyan": bulyan,
    "geometric median": geometric_median,
    "geometric median on U @ U.T": geometric_median_of_gram,
    "centered clipping": centered_clipping,
    "nnm + trimmed mean, gathered": nnm_trimmed_mean_by_gathering,
    "nnm + trimmed mean, W @ U": nnm_trimmed_mean_by_product,
    "arc": arc,
    "arc + nnm + trimmed mean": arc_nnm_trimmed_mean,
    "mda": mda,
    "monna": monna,
    "foolsgold": foolsgold,
    "fltrust": fltrust,
}
