"""The proxy's one transformation, development titles, and the search's space."""

from collections.abc import Callable
from pathlib import Path

import pytest

from sevenepochs.campaign.proxy import at_proxy_scale, proxy_name
from sevenepochs.campaign.search import Search
from sevenepochs.campaign.space import changes, default_space, numeric_fields, parse_dimension, parse_space
from sevenepochs.data.corpus.base import CorpusConfig
from sevenepochs.data.corpus.development import Development, moved
from sevenepochs.data.corpus.sample import SampleCorpus
from sevenepochs.errors import UserError
from sevenepochs.experiment import Experiment
from sevenepochs.recipes.catalog import load_recipe
from sevenepochs.recipes.listing import BEST, PUBLIC_BEST
from sevenepochs.recipes.story import adamw, baseline


def test_development_titles_are_training_titles_the_last_ones_choose() -> None:
    inner = SampleCorpus(n_titles=1000)
    outer = inner.load().split()
    corpus = Development(inner).load()
    split = corpus.split()
    assert (len(split.train), len(split.validation)) == (200, 50)
    assert split.train == outer.train[:200] and split.validation == outer.train[-50:]
    assert corpus.name == "sample-1000-proxy" and corpus.source["kind"] == "development"
    assert corpus.floor(split.validation) is not None
    again = CorpusConfig.from_dict(Development(inner).to_dict())
    assert again == Development(inner)


def test_a_corpus_that_moved_is_still_development_titles() -> None:
    old, new = SampleCorpus(n_titles=1000), SampleCorpus(n_titles=2000)
    assert moved(old, new) == new
    assert moved(Development(old), new) == moved(Development(old), Development(new)) == Development(new)


def test_the_sizes_of_the_protocol() -> None:
    from sevenepochs.data.corpus.development import DEVELOPMENT_SHARE, TRAIN_SHARE

    assert (round(90_000 * TRAIN_SHARE), round(90_000 * DEVELOPMENT_SHARE)) == (20_000, 5_000)


def test_too_few_titles_and_a_proxy_of_a_proxy_are_refused() -> None:
    with pytest.raises(UserError, match="at least 10"):
        Development(SampleCorpus(n_titles=10)).load()
    with pytest.raises(UserError, match="at proxy scale already"):
        at_proxy_scale(at_proxy_scale(baseline()))
    with pytest.raises(UserError, match="--proxy"):
        Development(Development(SampleCorpus()))


def test_the_proxy_changes_titles_width_and_batch_and_nothing_else() -> None:
    full = adamw()
    small = at_proxy_scale(full)
    assert small.corpus == Development(full.corpus)
    assert (small.model.d_model, small.model.n_head, small.batches.batch_size) == (256, 4, 16)
    back = small.replace_all({"corpus": full.corpus, "model.d_model": 512, "model.n_head": 8, "batches.batch_size": 64})
    assert back == full
    assert proxy_name("adamw") == "adamw-proxy"


@pytest.mark.parametrize(("d_model", "n_head"), [(16, 2), (640, 10), (448, 7), (30, 3), (8, 1)])
def test_the_proxys_heads_divide_its_width_evenly(d_model: int, n_head: int) -> None:
    model = at_proxy_scale(baseline().replace_all({"model.d_model": d_model, "model.n_head": n_head})).model
    assert model.d_model % (2 * model.n_head) == 0


def test_the_default_space_is_what_the_recipe_has(shrink: Callable[[Experiment], Experiment]) -> None:
    space = {dimension.name: dimension for dimension in default_space(adamw())}
    assert set(space) == {"model.n_head", "dropout", "optimizer.lr", "optimizer.weight_decay"}
    assert set(space["dropout"].paths) == {
        "model.embedding_dropout",
        "model.attention.dropout",
        "model.residual.dropout",
    }
    without = adamw().replace_all(dict.fromkeys(space["dropout"].paths, 0.0))
    [everywhere] = [dimension for dimension in default_space(without) if dimension.name == "dropout"]
    assert set(everywhere.paths) == {*space["dropout"].paths, "model.output_dropout", "model.mlp.dropout"}
    assert space["model.n_head"].choices == (6, 8, 10) and space["optimizer.lr"].log
    assert space["optimizer.lr"].low < 5e-4 < space["optimizer.lr"].high


@pytest.mark.parametrize("name", ["adamw", PUBLIC_BEST, BEST])
def test_a_search_begins_with_the_recipe_as_it_is(name: str) -> None:
    recipe = load_recipe(name)
    space = tuple(default_space(recipe))
    start = Search(name, recipe, space, Path("nowhere")).start()
    changed = {path for path, value in numeric_fields(recipe.replace_all(changes(recipe, space, start))).items()
               if value != numeric_fields(recipe)[path]}  # fmt: skip
    assert not changed


def test_values_reach_all_their_settings_and_more_heads_mean_more_width() -> None:
    space = default_space(adamw())
    values = {"model.n_head": 10.0, "dropout": 0.2, "optimizer.lr": 1e-3, "optimizer.weight_decay": 0.05}
    changed = adamw().replace_all(changes(adamw(), space, values))
    assert (changed.model.n_head, changed.model.d_model) == (10, 640)
    fields = numeric_fields(changed)
    rates = {path: value for path, value in fields.items() if path.endswith("dropout")}
    assert rates.pop("model.mlp.dropout") == rates.pop("model.output_dropout") == 0.0 and set(rates.values()) == {0.2}
    assert fields["optimizer.lr"] == 1e-3
    new = changes(adamw(), space, values)
    assert adamw().replace_all({key: str(value) for key, value in new.items()}) == changed


def test_three_digits_of_a_continuous_value_are_enough() -> None:
    for text, proposed, expected in (
        ("optimizer.lr=1e-4..1e-2:log", 0.00017430090399853568, 0.000174),
        ("optimizer.beta2=0.99..0.9999", 0.999612345, 0.99961),
        ("optimizer.beta2=0.99..0.9999", 0.9999, 0.9999),
        ("optimizer.beta2=0.95,0.999512", 0.999512, 0.999512),
        ("*dropout=0..0.3", 0.0, 0.0),
        ("*dropout=0..0.3", 0.12345, 0.123),
    ):
        dimension = parse_dimension(text, adamw())
        new = changes(adamw(), [dimension], {dimension.name: proposed})
        assert set(new.values()) == {expected}, text


def test_ranges_are_parsed() -> None:
    dimension = parse_dimension("optimizer.lr=1e-4..1e-2:log", adamw())
    assert (dimension.low, dimension.high, dimension.log, dimension.whole) == (1e-4, 1e-2, True, False)
    assert parse_dimension("model.n_layer=2..8:2", adamw()).step == 2
    assert parse_dimension("model.n_layer=4,6", adamw()).choices == (4, 6)


def test_what_varies_is_named_once() -> None:
    assert len(parse_space(["optimizer.lr=1..2", "*dropout=0..0.3"], adamw())) == 2
    for texts in (["optimizer.lr=1..2", "optimizer.lr=1,2"], ["*dropout=0..0.3", "model.embedding_dropout=0..0.1"]):
        with pytest.raises(UserError, match=r"--vary .* once"):
            parse_space(texts, adamw())


@pytest.mark.parametrize(
    "text",
    ["optimizer.lr", "optimizer.lr=fast..slow", "optimizer.lr=1..1", "optimizer.lr=0..1:log", "nothing=1..2",
     "optimizer.lr=1..2:0", "optimizer.lr=1", "optimizer.lr=nan..1", "=1..2", "optimizer.lr=1,1",
     "model.n_layer=2..8:0.4", "model.n_layer=0.3..5:log", "model.n_layer=2,2.5",
     # trials that differ in these cannot be compared
     "corpus.seed=0..5", "training.seed=0..5", "training.epochs=7..28"],
)  # fmt: skip
def test_bad_ranges_are_one_line(text: str) -> None:
    with pytest.raises(UserError, match="--vary"):
        parse_dimension(text, adamw())
