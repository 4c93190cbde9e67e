"""Figures: a result in, a plotly Figure out. The only room that knows plotly; computes no measure.

Every figure shows its interval, its null or chance level, and says estimator and n in its caption.
"""

from __future__ import annotations

from probekit.figures.cka import cka_by_layer, cka_heatmap
from probekit.figures.layers import layers_overview
from probekit.figures.page import write_page
from probekit.figures.run_plots import RunPlots

__all__ = ["RunPlots", "cka_by_layer", "cka_heatmap", "layers_overview", "write_page"]
