"""A seeded procedural world of machined metal with blowholes, cracks, scratches and stains. It ships as code."""

from flawsmith.data.demo.defects import DEFECTS
from flawsmith.data.demo.settings import DemoSettings
from flawsmith.data.demo.world import Shot, render_defect, render_part, render_shots, write_demo

__all__ = ["DEFECTS", "DemoSettings", "Shot", "render_defect", "render_part", "render_shots", "write_demo"]
