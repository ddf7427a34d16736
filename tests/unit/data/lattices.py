"""Pictures of a repetitive pattern, made to measure for the tests of coordinates."""

import numpy as np


class Circuit:
    """A pattern as a function of the plane: a few waves of one lattice, so its period is exact and no pixel counts."""

    def __init__(self, period_xy, seed=0, channels=1, slant=0.0):
        rng = np.random.default_rng(seed)
        self.along = np.array([[period_xy[0], slant * period_xy[0]], [-slant * period_xy[1], period_xy[1]]]).T
        self.waves = np.array([(1, 0), (0, 1), (1, 1), (2, 1), (1, -2), (2, 0), (0, 2)])
        self.heights = rng.uniform(0.3, 1, (len(self.waves), channels)) / np.abs(self.waves).sum(1)[:, None]
        self.turns = rng.uniform(0, 2 * np.pi, (len(self.waves), channels))

    def at(self, x, y):
        u, v = np.tensordot(np.linalg.inv(self.along), np.stack([x, y]), 1)
        angles = 2 * np.pi * np.tensordot(np.stack([u, v], -1), self.waves.T, 1)
        return (np.cos(angles[..., None] + self.turns) * self.heights).sum(-2)

    def image(self, size_hw, shift=(0.0, 0.0), rng=None, *, noise=0.0, gain=1.0, tilt=0.0, hole=0, dtype=np.uint8):
        """An image whose top left pixel shows the place `shift` (in periods) of the pattern."""
        rng = rng or np.random.default_rng(0)
        y, x = np.mgrid[: size_hw[0], : size_hw[1]].astype(float)
        start = self.along @ np.asarray(shift)
        values = 0.45 + 0.12 * self.at(x + start[0], y + start[1])
        values *= gain * (1 + tilt * (x / size_hw[1] - 0.5) - 0.5 * tilt * (y / size_hw[0] - 0.5))[..., None]
        if hole:
            row, column = rng.uniform(hole, np.array(size_hw) - hole)
            values[np.hypot(y - row, x - column) < hole] = 0.02
        values += rng.normal(size=values.shape) * noise
        most = np.iinfo(dtype).max
        return np.rint(np.clip(values, 0, 1) * most).astype(dtype)


def off_by(phase, pattern, expected_periods):
    """How far a phase is from the expected one, in pixels, the short way round."""
    period = np.array(pattern.lattice.period_xy)
    away = np.array([phase.x, phase.y]) / period - np.asarray(expected_periods)
    return np.abs((away + 0.5) % 1 - 0.5) * period
