import pytest
import torch

from sevenepochs.learning.schedule.cosine import Cosine


@pytest.mark.parametrize("total", [1, 2, 7, 938])
def test_every_step_has_the_rate_of_torchs_cosine(total):
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=6e-3)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, T_max=total)
    for step in range(1, total + 1):
        assert Cosine().multiplier(step, total) * 6e-3 == pytest.approx(optimizer.param_groups[0]["lr"], abs=1e-12)
        optimizer.step()
        schedule.step()


def test_it_begins_at_the_peak_and_ends_at_nothing():
    assert Cosine().multiplier(1, 938) == 1.0
    assert Cosine().multiplier(470, 938) == pytest.approx(0.5)
    assert 0.0 < Cosine().multiplier(938, 938) < 1e-5
    assert Cosine().multiplier(939, 938) == pytest.approx(0.0, abs=1e-12)
