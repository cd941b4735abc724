import numpy as np
import pytest

from sevenepochs.ask.model import Model
from sevenepochs.data.corpus.sample import SampleCorpus
from sevenepochs.errors import UserError
from sevenepochs.model.scorer import TorchScorer
from sevenepochs.protocol.figures import all_figures
from sevenepochs.store.run import RunWriter, layout
from sevenepochs.training.trainer import run_training


@pytest.fixture(scope="module")
def run(tiny, tmp_path_factory):
    experiment = tiny.replace_all({"corpus": SampleCorpus(n_titles=40), "training.precision": "bf16"})
    return run_training(experiment, "x", tmp_path_factory.mktemp("runs"))


def test_the_rebuilt_model_gives_the_runs_own_figures(run):
    trained = Model.load(run)
    assert not trained.network.training
    assert {p.dtype.itemsize for p in trained.network.parameters()} == {4}
    data = trained.load_data()
    batches = trained.experiment.batches
    figures, log_probs_N = all_figures(
        TorchScorer(trained.network),
        data.validation,
        trained.experiment.scoring_rows(data),
        batches.batch_size,
        batches.block_size,
    )
    for name, value in figures.items():
        assert value == run.summary["figures"][name], name
    np.testing.assert_array_equal(log_probs_N, run.load_tensors(layout.TITLE_LOSSES)["log_probs"])


def test_no_corpus_is_needed(run, monkeypatch):
    def gone(self, announce=None):
        raise AssertionError("the corpus was asked for")

    monkeypatch.setattr(SampleCorpus, "load", gone)
    assert Model.load(run).tokenizer.encode("Show HN") != []


def test_other_titles_only_when_asked_for(run):
    trained = Model.load(run)
    other = SampleCorpus(n_titles=40, seed=1)
    with pytest.raises(UserError, match="other titles"):
        trained.load_data(other)
    assert trained.load_data(other, same_titles=False).tokenizer is trained.tokenizer


def test_an_incomplete_run_has_no_weights_yet(tmp_path):
    with RunWriter.create(tmp_path, "x", 1) as writer:
        from sevenepochs.store.run import Run

        incomplete = Run(writer.path)
        with pytest.raises(UserError, match=r"\(running\).*no weights.*wait"):
            Model.load(incomplete)
    with pytest.raises(UserError, match=rf"has no weights yet; resume it: sevenepochs resume {incomplete.path}"):
        Model.load(incomplete)


def test_weights_of_another_model_are_refused(run, tmp_path):
    import json
    import shutil

    from sevenepochs.store.run import Run

    copy = tmp_path / run.name
    shutil.copytree(run.path, copy)
    config = json.loads((copy / layout.CONFIG).read_text())
    config["model"]["n_layer"] += 1
    (copy / layout.CONFIG).write_text(json.dumps(config))
    with pytest.raises(UserError, match=r"model\.safetensors of run .* does not fit"):
        Model.load(Run(copy))
