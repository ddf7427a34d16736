"""Names of defects as vectors of a CLIP text model (Radford et al. 2021) that the user has."""

from __future__ import annotations

from collections.abc import Sequence
from importlib import import_module
from pathlib import Path

import torch
from torch import Tensor

from flawsmith.core.errors import DataError, SettingsError

CONFIG, WEIGHTS = "config.json", "model.safetensors"


def clip_vectors(names: Sequence[str], folder: Path) -> Tensor:
    """Return a vector of unit length (K, D) per name: what the text model in a local folder makes of it.

    The folder is as `CLIPTextModel.save_pretrained` writes it, its tokenizer beside it; a folder of a whole diffusers
    pipeline will do, too (`text_encoder`, `tokenizer`). Nothing is fetched and no code of the folder is run. Raises
    SettingsError where the package transformers is missing, DataError where the folder holds something else.
    """
    encoder, words = _homes(folder)
    missing = [path for path in (encoder / CONFIG, encoder / WEIGHTS) if not path.is_file()]
    if missing:
        raise DataError(
            f"latent.clip: there is no {missing[0]}: give a folder with a CLIP text model as transformers writes it "
            f"({CONFIG}, {WEIGHTS}, and the tokenizer's files)"
        )
    try:
        transformers = import_module("transformers")
    except ImportError as error:
        raise SettingsError(
            f"latent.clip needs the package transformers, which cannot be imported ({error}): pip install "
            "'flawsmith[clip]', or leave latent.clip out: every name then gets a row of a learnt table"
        ) from None
    try:
        tokenizer = transformers.CLIPTokenizer.from_pretrained(words, local_files_only=True)
        model = transformers.CLIPTextModel.from_pretrained(encoder, local_files_only=True, use_safetensors=True).eval()
    except Exception as error:  # whatever a folder of another kind provokes
        raise DataError(f"latent.clip: {folder} cannot be opened as a CLIP text model: {error}") from None
    length = int(model.config.max_position_embeddings)
    tokens = tokenizer(list(names), padding=True, truncation=True, max_length=length, return_tensors="pt")
    with torch.no_grad():
        vectors: Tensor = model(**tokens).pooler_output.float()
    return torch.nn.functional.normalize(vectors, dim=1)


def _homes(folder: Path) -> tuple[Path, Path]:
    parts = folder / "text_encoder", folder / "tokenizer"
    return parts if all(part.is_dir() for part in parts) else (folder, folder)
