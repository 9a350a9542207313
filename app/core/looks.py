"""The ways of looking that heads are trained and calibrated for.

A calibration holds for one way of looking only, so these names stand in every head's file.
"""

from __future__ import annotations

from app.core.views import ViewPlan

QUICK = "quick"
DETAILED = "detailed"
FRAME = "frame"

PLANS = {
    QUICK: ViewPlan(whole_sides_px=(320,)),
    DETAILED: ViewPlan(whole_sides_px=(224, 320), mirrored=True, tile_rows=2),
    # Small tiles for small flames, large ones for what a small tile cuts apart. A frame has to be judged beside others
    # on two cores, hence their side.
    FRAME: ViewPlan(whole_sides_px=(320,), tile_rows=4, coarse_tile_rows=2, tile_side_px=160),
}
