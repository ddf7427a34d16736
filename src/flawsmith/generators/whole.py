"""What every generator of whole images does with a picture it has drawn: bring it to the camera's format, and say where
its defect probably is.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from torch import Tensor

from flawsmith.core.records import Image, Mask, Painting, Patch
from flawsmith.generators.gallery import Gallery, as_tensor, mask_at
from flawsmith.training.feed import in_channels, resized, to_image


def whole_painting(picture_CHW: Tensor, patch: Patch, gallery: Gallery, notes: Mapping[str, Any]) -> Painting:
    """Return a drawn picture, in [-1, 1] and of the gallery's size, as the painting that a patch asks for.

    Its mask is proposed by difference from the nearest good picture; `notes` go into its birth record.
    """
    proposed = gallery.proposal(to_image(picture_CHW[None], np.uint16)[0])
    bare = gallery.goods[proposed.good]
    against = {"mask_against": bare.id, "mask_agreement": proposed.agreement}
    return painting_under(proposed.mask, picture_CHW, as_tensor([bare]), patch, gallery, {**against, **notes})


def painting_under(
    mask: Mask, picture_CHW: Tensor, bare_1CHW: Tensor, patch: Patch, gallery: Gallery, notes: Mapping[str, Any]
) -> Painting:
    """Return a drawn picture as the painting that a patch asks for, under a mask (HW, of the gallery's size).

    It is judged against the defect-free picture `bare_1CHW`; both are in [-1, 1] and of the gallery's size.
    """
    like, alike = patch.background, gallery.alike(to_image(picture_CHW[None], np.uint16)[0], patch.label)
    return Painting(
        image=at_camera(picture_CHW[None], like),
        mask=mask_at(mask, (like.shape[0], like.shape[1])),
        shown=at_camera(as_tensor([alike]), like),
        whole=True,
        bare=at_camera(bare_1CHW, like),
        approximate=True,
        notes={"resembles": alike.id, **notes},
    )


def at_camera(picture_1CHW: Tensor, like: Image) -> Image:
    """Return a picture at the size, in the channels and of the depth of a photograph (HWC)."""
    large = resized(in_channels(picture_1CHW, like.shape[2]), (like.shape[0], like.shape[1]))
    picture: Image = to_image(large, like.dtype)[0]
    return picture
