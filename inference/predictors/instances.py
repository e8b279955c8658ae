"""Making `Instances` of what was found: from which peaks belong together to one array each. Pure."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from inference.messages import Instances


def none_found(n_nodes: int) -> Instances:
    """No animal at all."""
    return of_points(np.zeros((0, n_nodes, 2)), np.zeros((0, n_nodes)), np.zeros(0))


def of_points(
    points: npt.NDArray[np.float64],
    values: npt.NDArray[np.floating],
    scores: npt.NDArray[np.floating],
    classes: npt.NDArray[np.int64] | None = None,
    class_scores: npt.NDArray[np.floating] | None = None,
) -> Instances:
    """Instances from arrays as they stand in `Instances`, of any float type; without classes none has one.

    What is not finite becomes NaN, and a point of which one coordinate is not finite, none: so nothing after
    this has to know of infinity.
    """
    n = len(scores)
    found = np.isfinite(points).all(axis=-1, keepdims=True)
    return Instances(
        np.where(found, points, np.nan).astype(np.float64),
        _finite(values),
        _finite(scores),
        np.full(n, -1, np.int64) if classes is None else classes.astype(np.int64),
        np.full(n, np.nan) if class_scores is None else _finite(class_scores),
    )


def _finite(values: npt.NDArray[np.floating]) -> npt.NDArray[np.float64]:
    return np.where(np.isfinite(values), values, np.nan).astype(np.float64)


def of_members(
    members: npt.NDArray[np.int64],
    points: npt.NDArray[np.float64],
    values: npt.NDArray[np.floating],
    scores: npt.NDArray[np.floating],
    classes: npt.NDArray[np.int64] | None = None,
    class_scores: npt.NDArray[np.floating] | None = None,
) -> Instances:
    """Instances whose nodes are peaks: `members` (n, nodes) are positions in `points`, -1 none."""
    missing = members < 0
    # one more row, for -1 to point at
    all_points = np.concatenate([points.astype(np.float64), np.full((1, 2), np.nan)])
    all_values = np.append(values.astype(np.float64), np.nan)
    held = np.where(missing, len(points), members)
    return of_points(all_points[held], all_values[held], scores, classes, class_scores)


def best(instances: Instances, count: int | None) -> Instances:
    """The `count` instances with the highest scores, in the order they were in; all of them for None."""
    if count is None or len(instances) <= count:
        return instances
    chosen = np.sort(np.argsort(-instances.scores, kind="stable")[:count])
    return take(instances, chosen)


def take(instances: Instances, index: npt.NDArray[np.int64] | npt.NDArray[np.bool_]) -> Instances:
    """The instances at these positions, or those where a mask is true."""
    return Instances(
        instances.points[index],
        instances.values[index],
        instances.scores[index],
        instances.classes[index],
        instances.class_scores[index],
    )
