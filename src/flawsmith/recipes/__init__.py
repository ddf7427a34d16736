"""The stages in order: the only room that knows the whole route from photographs to proof."""
