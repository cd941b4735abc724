"""The context that parts share must not break a compiled step into pieces."""

import pytest
import torch

from sevenepochs.learning.objective import RDrop
from sevenepochs.model.attention import Causal, HeadGate, ValueResidual
from sevenepochs.model.dropout import begin_at, reseed, share_rows
from sevenepochs.model.embedding.letter_parts import LetterParts
from sevenepochs.model.facts import Facts
from sevenepochs.model.gpt import GPT
from sevenepochs.model.head import SoftCap
from sevenepochs.model.mlp import ReluSquared
from sevenepochs.model.position import Rope
from sevenepochs.model.residual import LayerScale, StochasticDepth
from sevenepochs.model.skip import UNet
from sevenepochs.model.titles import Titles

EVERYTHING = GPT(
    n_layer=2, n_head=2, d_model=16, titles=Titles(), skip=UNet(initial=0.1),
    attention=Causal(rotary=Rope(), value_residual=ValueResidual(), gate=HeadGate()),
    residual=StochasticDepth(of=LayerScale()), mlp=ReluSquared(dropout=0.1), head=SoftCap(), embedding=LetterParts(),
    facts=Facts(columns=("url", "time"), n_values=4),
)  # fmt: skip
IDS = torch.randint(0, 30, (4, 17), generator=torch.Generator().manual_seed(0))
TOLD = torch.where(IDS == 1, IDS + 30 * (2 + 7 * 4), IDS)  # two facts of every title


@pytest.mark.parametrize("training", [True, False])
def test_one_graph(training):
    """`fullgraph` raises where tracing would stop; the eager backend runs the traced graph as it is."""
    model = EVERYTHING.build(30, 16, seed=0, texts=[f"{' ' * (n % 2)}w{n // 4}" for n in range(30)]).train(training)
    objective = RDrop()

    def loss(x_BT, y_BT):
        return objective.loss(model, x_BT, y_BT)

    traced = torch.compile(loss, backend="eager", fullgraph=True, dynamic=False)
    for step in (1, 2):  # other dropout keys, the same graph
        reseed(model, 1337, step)
        torch.testing.assert_close(traced(TOLD[:, :-1], IDS[:, 1:]), loss(TOLD[:, :-1], IDS[:, 1:]))


def test_one_graph_for_all_parts_of_a_batch():
    model = EVERYTHING.build(30, 16, seed=0, texts=[f"w{n}" for n in range(30)]).train()
    share_rows(model, 1, 4)
    counter = torch._dynamo.testing.CompileCounter()
    traced = torch.compile(model, backend=counter, fullgraph=True, dynamic=False)
    torch._dynamo.reset()
    for row in range(4):
        begin_at(model, row)
        torch.testing.assert_close(traced(TOLD[row : row + 1, 1:]), model(TOLD[row : row + 1, 1:]))
    assert counter.frame_count == 1
