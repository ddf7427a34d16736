"""The training loop and the samplers on a CUDA device."""

import numpy as np
import pytest
import torch
from torch import nn

from flawsmith.diffusion.samplers import SAMPLERS, per_image_noise
from flawsmith.diffusion.schedules import karras_sigmas
from flawsmith.diffusion.tiling import cover, tiled
from flawsmith.training.feed import to_image
from flawsmith.training.loop import LoopSettings, train
from flawsmith.training.weights import load_weights, save_net

pytestmark = [pytest.mark.gpu, pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")]


class Denoising:
    def __init__(self, net):
        self.net = net

    def turns(self, batch, rng):
        x = batch["x"]
        assert x.is_cuda
        noisy = x + torch.randn(x.shape, generator=rng, device=rng.device)
        return [((self.net(noisy).float() - x).square().mean(), list(self.net.parameters()))]


def feed(rng, batch):
    return {"x": torch.from_numpy(rng.random((batch, 3, 16, 16), np.float32))}


def fresh():
    torch.manual_seed(0)
    return nn.Sequential(nn.Conv2d(3, 32, 3, padding=1), nn.SiLU(), nn.Dropout(0.1), nn.Conv2d(32, 3, 3, padding=1))


def run(folder, after=None, **changes):
    net = fresh()
    settings = LoopSettings(**{"steps": 60, "batch": 8, "device": "cuda", "log_every": 10, **changes})
    return net, train(net, Denoising(net), feed, settings, folder, seed=1, after=after)


@pytest.mark.parametrize("precision", ["fp32", "bf16"])
def test_gpu_run_resumes_to_the_same_result(tmp_path, precision):
    whole, log = run(tmp_path / "a", precision=precision)

    def interrupt(step, net):
        if step == 31:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run(tmp_path / "b", after=interrupt, precision=precision)
    resumed, again = run(tmp_path / "b", precision=precision)
    assert next(whole.parameters()).is_cuda
    for one, other in zip(whole.parameters(), resumed.parameters(), strict=True):
        torch.testing.assert_close(one, other, rtol=1e-2, atol=1e-4)
    assert [loss for _, loss in again.losses] == pytest.approx([loss for _, loss in log.losses], rel=1e-2)
    assert log.losses[-1][1] < log.losses[0][1]


def test_gpu_weights_open_on_a_cpu(tmp_path):
    net, _ = run(tmp_path, steps=3)
    save_net(tmp_path / "net.safetensors", net, {})
    tensors, _ = load_weights(tmp_path / "net.safetensors")
    assert all(torch.equal(tensors[name], value.cpu()) for name, value in net.state_dict().items())


@pytest.mark.parametrize("name", list(SAMPLERS))
def test_gpu_samples_as_the_cpu_does(name):
    def denoise(x, sigma):
        return torch.nn.functional.avg_pool2d(x, 3, 1, 1) / (1 + sigma.reshape(-1, 1, 1, 1))

    windows = cover(np.ones((24, 24), bool), 16, 8)
    images = []
    for device in (torch.device("cpu"), torch.device("cuda")):
        noise = per_image_noise([4], (3, 24, 24), device)
        done = SAMPLERS[name](tiled(denoise, windows), noise() * 10, karras_sigmas(8, 0.02, 10.0), noise=noise)
        assert done.device.type == device.type
        images.append(to_image(done, np.uint8).astype(int))
    assert np.abs(images[0] - images[1]).max() <= 1
