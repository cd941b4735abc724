import math

import pytest
import torch

from sevenepochs.errors import UserError
from sevenepochs.learning.schedule import Cosine, WarmupCosine, WarmupStableDecay


def published(step, total, warmup=0.05, decay=0.1):
    """The public best's rule, counted from 0: warm-up (step + 1) / n, then 1, then 1 - sqrt(progress)."""
    n_warmup, n_decay = int(total * warmup), int(total * decay)
    step = step - 1
    if step < n_warmup:
        return (step + 1) / n_warmup
    if step < total - n_decay:
        return 1.0
    return 1.0 - math.sqrt((step - (total - n_decay)) / n_decay)


@pytest.mark.parametrize("total", [1, 7, 40, 2093])
def test_the_plateau_is_the_published_one(total):
    schedule = WarmupStableDecay()
    got = [schedule.multiplier(step, total) for step in range(1, total + 1)]
    assert got == pytest.approx([published(step, total) for step in range(1, total + 1)])
    assert all(0.0 < m <= 1.0 for m in got)


@pytest.mark.parametrize(("shape", "half"), [("sqrt", 1 - math.sqrt(0.5)), ("linear", 0.5), ("cosine", 0.5)])
def test_the_decays_shapes_and_the_floor(shape, half):
    schedule = WarmupStableDecay(warmup=0.0, decay=0.5, shape=shape, floor=0.2)
    assert schedule.multiplier(1, 100) == schedule.multiplier(51, 100) == 1.0
    assert schedule.multiplier(76, 100) == pytest.approx(0.2 + 0.8 * half)
    assert schedule.multiplier(101, 100) == pytest.approx(0.2)
    falling = [schedule.multiplier(step, 100) for step in range(51, 101)]
    assert falling == sorted(falling, reverse=True)


def test_shares_that_do_not_fit():
    with pytest.raises(UserError, match="more than all updates"):
        WarmupStableDecay(warmup=0.6, decay=0.5)
    with pytest.raises(UserError, match=r"schedule\.warmup"):
        WarmupCosine(warmup=1.5)


def test_a_long_warm_up_and_half_a_cosine():
    schedule = WarmupCosine(warmup=0.4, floor=0.1)
    got = [schedule.multiplier(step, 10) for step in range(1, 11)]
    assert got[:4] == [0.25, 0.5, 0.75, 1.0]
    assert got[4:] == pytest.approx([0.1 + 0.45 * (1 + math.cos(math.pi * i / 6)) for i in range(6)])
    assert WarmupCosine(warmup=1.0).multiplier(10, 10) == 1.0
    assert WarmupCosine(warmup=0.0).multiplier(1, 1) == 1.0


@pytest.mark.parametrize("total", [1, 2, 7, 938])
def test_every_step_has_the_rate_of_torchs_cosine(total):
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=6e-3)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, T_max=total)
    for step in range(1, total + 1):
        assert Cosine().multiplier(step, total) * 6e-3 == pytest.approx(optimizer.param_groups[0]["lr"], abs=1e-12)
        optimizer.step()
        schedule.step()


def test_the_cosine_begins_at_the_peak_and_ends_at_nothing():
    assert Cosine().multiplier(1, 938) == 1.0
    assert Cosine().multiplier(470, 938) == pytest.approx(0.5)
    assert 0.0 < Cosine().multiplier(938, 938) < 1e-5
    assert Cosine().multiplier(939, 938) == pytest.approx(0.0, abs=1e-12)
