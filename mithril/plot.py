"""Pictures of a result; matplotlib draws them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from mithril.extras import needs

if TYPE_CHECKING:
    from mithril.result import DedupResult


def similarities(result: DedupResult, axes: Any = None) -> Any:  # noqa: ANN401 - matplotlib is optional
    """Draw how similar removed rows are to those kept for them."""
    axes = _axes(axes)
    threshold = result.report.options["threshold"]
    values = result.duplicates.column("jaccard")
    axes.hist(values[values == values], bins=40, range=(min(threshold, 1 - 1e-3), 1))  # noqa: PLR0124
    axes.axvline(threshold, color="black", linestyle="--", linewidth=1)
    axes.set(xlabel="similarity to the row that is kept", ylabel="removed rows")
    return axes


def cluster_sizes(result: DedupResult, axes: Any = None) -> Any:  # noqa: ANN401
    """Draw how many clusters there are of each size."""
    axes = _axes(axes)
    sizes = result.report.clusters.sizes
    axes.scatter(list(sizes), list(sizes.values()))
    if sizes:
        axes.set(xscale="log", yscale="log")
    axes.set(xlabel="rows in the cluster", ylabel="clusters")
    return axes


def _axes(axes: Any) -> Any:  # noqa: ANN401
    if axes is not None:
        return axes
    with needs("plot"):
        from matplotlib import pyplot as plt  # noqa: PLC0415
    return plt.subplots()[1]
