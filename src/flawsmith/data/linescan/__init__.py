"""Lines of a line-scan camera and the ticks of an encoder become an image with square pixels."""

from flawsmith.data.linescan.report import LineScanReport, ScanFinding
from flawsmith.data.linescan.settings import LineScanSettings
from flawsmith.data.linescan.stitch import stitch
from flawsmith.data.linescan.ticks import read_ticks, ticks_per_pixel

__all__ = ["LineScanReport", "LineScanSettings", "ScanFinding", "read_ticks", "stitch", "ticks_per_pixel"]
