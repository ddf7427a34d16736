"""From a trained generator to labelled images: plan, paint, composite at native resolution, judge, record."""
