"""Grouping, pairing, verdicts, seed noise, the ladder and the proxy check, on results made from one tiny run."""

import dataclasses
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy import stats

from sevenepochs.comparison import find
from sevenepochs.comparison.compare import Group, by_recipe, compare, groups_to_compare, pair_groups
from sevenepochs.comparison.ladder import ladder, mean_losses, proxy_check
from sevenepochs.comparison.noise import SeedNoise, noise_for, read_noises, seed_noise, store
from sevenepochs.comparison.paired_parts import by_kind
from sevenepochs.errors import UserError
from sevenepochs.recipes.configs import expected_config
from sevenepochs.report.ladder_table import log_entries, rows
from sevenepochs.store.facts import ResultFacts
from sevenepochs.store.results import Result
from sevenepochs.store.title_losses import Grouping, TitleLosses

N_TITLES = 400
RNG = np.random.default_rng(0)
CHARS = RNG.integers(20, 86, N_TITLES)
BASE = CHARS * RNG.normal(1.2, 0.2, N_TITLES)
NOISE = {seed: RNG.normal(0, 1, N_TITLES) for seed in range(10)}


def made(
    recipe: str,
    seed: int,
    shift: float = 0.0,
    *,
    rows: str = "stock",
    titles: str = "t",
    lr: float = 1.0,
    train: str = "t",
) -> Result:
    """A result whose every title costs `shift` nats per character more than BASE, and a seed's own noise."""
    nats = losses(shift, seed).nats
    facts: dict[str, Any] = {
        "recipe": recipe,
        "seed": seed,
        "run": f"{recipe}_run_s{seed}",
        "schema_version": 1,
        "created_utc": "2026-01-01T00:00:00+00:00",
        "command": f"sevenepochs train {recipe} --seed {seed}",
        "corpus": {
            "name": "c",
            "kind": "sample",
            "split": {
                "train_titles_sha256": train,
                "validation_titles_sha256": titles,
                "n_train": 9 * N_TITLES,
                "n_validation": N_TITLES,
                "train_chars": 9 * int(CHARS.sum()),
                "validation_chars": int(CHARS.sum()),
            },
        },
        "elapsed_seconds": 1.0,
        "n_steps": 7,
        "parameters": 1,
        "figures": {"exact_val_loss": float(nats.sum() / CHARS.sum())},
        "rows": rows,
        "machine": {"device": "cpu", "precision": "fp32"},
        "config": {
            "optimizer": {"lr": lr},
            "training": {"seed": seed, "device": "auto"},
            "corpus": {"path": f"x{seed}"},
        },
        "shift": shift,
    }
    return Result(None, ResultFacts.from_json(facts))


def losses(shift: float, seed: int) -> TitleLosses:
    grouping = Grouping("half", ("first", "second", "none"), (np.arange(N_TITLES) >= N_TITLES // 2).astype(int))
    return TitleLosses(BASE + shift * CHARS + NOISE[seed % 10], CHARS, None, {"half": grouping})


def losses_of(result: Result) -> TitleLosses:
    return losses(result.facts.written["shift"], result.seed)


def created(when: str, result: Result) -> Result:
    return dataclasses.replace(result, facts=dataclasses.replace(result.facts, created_utc=when))


def noise(sd: float, recipe: str = "a", titles: str = "t") -> SeedNoise:
    of_recipe = seed_noise([made(recipe, seed, titles=titles) for seed in (1, 2, 3)])
    return dataclasses.replace(of_recipe, exact_val_losses=(1.0 - sd, 1.0, 1.0 + sd))


def paired(n_seeds: int, shift: float, noises: tuple[SeedNoise, ...] = (), **how: Any) -> Any:
    a = Group("a", tuple(made("a", seed) for seed in range(n_seeds)))
    b = Group("b", tuple(made("b", seed, shift, **how) for seed in range(n_seeds)))
    return pair_groups(a, b, losses_of, noises)


def test_groups_are_recipes_and_their_seeds_in_the_order_named() -> None:
    results = [made("b", 2), made("a", 1), made("b", 1), made("b", 1)]
    assert [(g.name, g.seeds) for g in groups_to_compare(results)] == [("b", (1, 2)), ("a", (1,))]
    # other settings under one name are another group
    assert len(by_recipe([made("a", 1), made("a", 2, lr=2.0)])) == 2
    # one recipe alone: its runs are compared with each other
    assert [g.name for g in groups_to_compare([made("a", 1), made("a", 2)])] == ["a_run_s1", "a_run_s2"]


def test_three_seeds_make_a_claim() -> None:
    pair = paired(3, -0.01, rows="TitleRows 64")
    assert pair.verdict.winner == "b" and pair.verdict.words.startswith("b is better than a by 0.0100 ± ")
    assert pair.verdict.words.endswith("(3 seeds)")
    assert not pair.own_are_stock and pair.stock_rows is None  # nobody scored b under stock rows
    worse = paired(3, 0.01)
    assert worse.verdict.winner == "a" and worse.stock_rows is worse.own_rows and worse.own_are_stock


def test_rows_that_both_recipes_have_are_no_stock_rows_for_that() -> None:
    def scored(result: Result) -> TitleLosses:
        own = losses_of(result)
        return dataclasses.replace(own, nats_stock_rows=own.nats + 0.5 * CHARS * (result.recipe == "b"))

    a, b = (Group(name, (made(name, 1, rows="TitleRows 64"),)) for name in "ab")
    pair = pair_groups(a, b, scored)
    assert pair.stock_rows is not None and not pair.own_are_stock
    assert (pair.own_rows.value, pair.stock_rows.value) == (pytest.approx(0.0), pytest.approx(0.5))


def test_one_seed_makes_no_claim_unless_the_difference_dwarfs_the_measured_deviation() -> None:
    alone = paired(1, -0.01)
    assert not alone.verdict.counts
    assert "one seed each" in alone.verdict.words
    assert "not measured (sevenepochs noise)" in alone.verdict.words
    small = paired(1, -0.01, (noise(0.004),))
    assert not small.verdict.counts and "2.5 times that" in small.verdict.words
    large = paired(1, -0.01, (noise(0.002),))
    assert large.verdict.winner == "b" and "5.0 times that" in large.verdict.words
    assert not paired(1, -0.01, (noise(0.002, titles="other"),)).verdict.counts


def test_a_second_seed_takes_no_claim_away() -> None:
    """The t quantile of one degree of freedom is 12.7, so over both two seeds hold 0 nearly always."""
    a = Group("a", (made("a", 1), made("a", 2)))
    b = Group("b", (made("b", 1, -0.008), made("b", 2, -0.012)))
    pair = pair_groups(a, b, losses_of, [noise(0.002)])
    assert pair.own_rows.over_both is not None and not pair.own_rows.over_both.excludes_zero
    assert pair.verdict.winner == "b" and "2 seeds" in pair.verdict.words and "5.0 times that" in pair.verdict.words
    assert not pair_groups(a, b, losses_of, [noise(0.003)]).verdict.counts
    assert not pair_groups(a, b, losses_of).verdict.counts


def test_a_floor_of_two_seeds_makes_no_claim() -> None:
    """Two seeds lie within a quarter of their true deviation of each other in one case of five."""
    of_two = dataclasses.replace(noise(0.1), seeds=(1, 2), exact_val_losses=(1.0, 1.0005))
    alone = paired(1, -0.01, (of_two,))
    assert not alone.verdict.counts and alone.verdict.words.startswith("no claim yet")
    assert "2 seeds of a" in alone.verdict.words


def test_an_interval_around_zero_is_no_difference() -> None:
    a, b = Group("a", (made("a", 1),)), Group("b", (made("b", 2),))
    pair = pair_groups(a, b, losses_of, [noise(1e-9)])
    assert not pair.verdict.counts and pair.verdict.words.startswith("no difference can be claimed")
    assert pair.own_rows.seeds == ((1, 2),)
    same = pair_groups(a, Group("c", (made("c", 1),)), losses_of)
    assert same.verdict.words == "c and a are identical, title by title"


def test_pairing_is_by_seed_and_says_what_it_leaves_out() -> None:
    a = Group("a", tuple(made("a", seed) for seed in (1, 2, 3)))
    b = Group("b", tuple(made("b", seed, -0.1) for seed in (2, 3, 4)))
    pair = pair_groups(a, b, losses_of)
    assert pair.own_rows.seeds == ((2, 2), (3, 3)) and pair.left_out == (1, 4)
    assert pair.own_rows.value == pytest.approx(-0.1, abs=1e-12)
    with pytest.raises(UserError, match="no seed in common"):
        pair_groups(a, Group("b", (made("b", 7), made("b", 8))), losses_of)
    with pytest.raises(UserError, match="different titles"):
        pair_groups(a, Group("b", (made("b", 1, titles="other"),)), losses_of)


def test_the_context_track_is_compared_with_itself_alone() -> None:
    plain, told, also = (made(name, 1) for name in ("plain", "told", "also"))
    told, also = (dataclasses.replace(r, facts=dataclasses.replace(r.facts, track="context")) for r in (told, also))
    assert compare([told, also]).comparable
    refused = compare([plain, told])
    assert not refused.comparable and refused.difference(told) is None and "context track" in refused.why_not
    with pytest.raises(UserError, match="context track"):
        pair_groups(Group("plain", (plain,)), Group("told", (told,)), losses_of, ())


def test_kinds_add_up_and_their_intervals_are_wider_than_single_ones() -> None:
    a, b = [losses(0.0, 1)], [losses(-0.05, 2)]
    parts = by_kind(a, b)
    assert [part.name for part in parts] == ["first", "second", "none"]
    assert sum(part.share or 0 for part in parts) == pytest.approx(1)
    assert parts[2].n_titles == 0 and parts[2].value is None and parts[2].interval is None
    chars = CHARS[: N_TITLES // 2]
    assert parts[0].value == pytest.approx((b[0].nats - a[0].nats)[: N_TITLES // 2].sum() / chars.sum())
    d = (b[0].nats - a[0].nats)[: N_TITLES // 2]
    single = 1.96 * np.sqrt(((d - chars * d.sum() / chars.sum()) ** 2).sum()) / chars.sum()
    wide = stats.t.ppf(1 - 0.05 / 3 / 2, len(chars) - 1)
    assert parts[0].interval is not None
    assert parts[0].interval.half_width == pytest.approx(wide / 1.96 * single, rel=0.01)


def test_seed_noises_are_stored_replaced_and_found(tmp_path: Path) -> None:
    measured = seed_noise([made("a", seed) for seed in (3, 1, 2)])
    assert measured.seeds == (1, 2, 3) and measured.mean == pytest.approx(np.mean(measured.exact_val_losses))
    assert measured.exact_val_losses == tuple(made("a", seed).exact for seed in (1, 2, 3))
    assert measured.sd_interval[0] < measured.sd < measured.sd_interval[1]
    store(measured, tmp_path)
    store(seed_noise([made("a", 1), made("a", 2)]), tmp_path)
    store(seed_noise([made("b", 1), made("b", 2)]), tmp_path)
    store(seed_noise([made("b", seed, lr=2.0) for seed in (1, 2, 3)]), tmp_path)
    kept = read_noises(tmp_path)
    assert sorted((f.recipe, f.n) for f in kept) == [("a", 2), ("b", 2), ("b", 3)]
    assert json.loads((tmp_path / "noise.json").read_text())["floors"][0]["sd"] == pytest.approx(kept[0].sd)
    assert read_noises(tmp_path / "nowhere") == []
    (tmp_path / "noise.json").write_text('{"schema_version": 3, "floors": [{}]}')
    with pytest.raises(UserError, match="damaged"):
        read_noises(tmp_path)
    with pytest.raises(UserError, match="one seed only"):
        seed_noise([made("a", 1)])


def test_the_floor_of_a_compared_recipe_goes_before_others() -> None:
    noises = [noise(0.5, "z"), noise(0.1, "a"), noise(0.2, "b"), noise(9.0, "a", "other")]
    found = noise_for([made("a", 1), made("b", 1)], noises)
    assert found is not None and found.recipe == "b"
    half_known = noise_for([made("a", 1), made("x", 1)], noises)
    assert half_known is not None and half_known.recipe == "z"  # x may scatter more than a does
    other = noise_for([made("x", 1)], noises)
    assert other is not None and other.recipe == "z"
    other_titles = noise_for([made("b", 1, train="others")], noises)
    assert other_titles is not None and other_titles.recipe == "z"  # trained on others, so not a seed of b
    changed = noise_for([made("b", 1, lr=2.0)], noises)
    assert changed is not None and changed.recipe == "z"  # b's noise is of other settings
    assert noise_for([made("a", 1, titles="third")], noises) is None
    of_two = dataclasses.replace(noise(0.0, "b"), seeds=(1, 2), exact_val_losses=(1.0, 3.0))
    found = noise_for([made("a", 1), made("b", 1)], [noise(0.1, "a"), of_two])
    assert found is not None and found.recipe == "a"  # of two seeds a deviation says little, however large
    assert noise_for([made("b", 1)], [noise(0.1, "a"), of_two]) == of_two


def test_a_rung_is_one_configuration() -> None:
    """Of several the official seed's, or the newest: their mean would be nobody's."""
    plain, changed = [made("a", 1337), made("a", 1338)], [made("a", seed, 5.0, lr=2.0) for seed in (1338, 1339, 1340)]
    for results in ([*plain, *changed], [*changed, *plain]):
        [rung] = ladder(("a",), results, losses_of)
        assert rung.results == tuple(plain)
        assert mean_losses(results) == {"a": rung.mean}
    old, new = made("a", 1337), created("2999", made("a", 1337, lr=2.0))
    assert ladder(("a",), [new, old], losses_of)[0].results == (new,)


def test_the_ladder_compares_each_rung_with_the_one_before_that_was_run() -> None:
    results = [made(name, seed, shift) for name, shift in (("a", 0.0), ("c", -0.1)) for seed in (1, 2, 3)]
    rungs = ladder(("a", "b", "c"), [*results, made("other", 1)], losses_of)
    assert [rung.recipe for rung in rungs] == ["a", "b", "c"]
    assert rungs[1].results == () and rungs[1].unpaired == "not run yet"
    assert rungs[2].pair is not None and rungs[2].pair.first == "a"
    assert rungs[2].mean is not None and rungs[0].mean is not None
    assert rungs[2].mean - rungs[0].mean == pytest.approx(-0.1)
    assert rungs[2].ratio == pytest.approx(rungs[2].mean / rungs[0].mean)
    cells = rows(rungs)
    assert cells[2][-1] == "better" and cells[2][5].startswith("-0.1000 ± ") and cells[1][-1] == "not run yet"
    entries = log_entries(rungs, {"c": "a with another slot.\n\n    It is\n    better.\n"})
    first, second = (entry.split("\n\n") for entry in entries)  # of the two that were run
    assert first[0] == "### a        2026-01-01, a, full, seeds 1, 2, 3" and first[-1] == "Verdict: none"
    assert second[1] == "Asked: a with another slot. It is better." and second[-1] == "Verdict: gain"
    assert "train c --seed 1`, seeds 1, 2, 3" in second[2] and "against `a`" in second[3]
    with pytest.raises(UserError, match="one set of titles"):
        ladder(("a", "c"), [made("a", 1), made("c", 1, titles="other")], losses_of)


def test_the_proxy_check_claims_no_more_than_its_pairs_show() -> None:
    none = proxy_check({"a": 1.0}, {"a": 2.0})
    assert none.pairs == () and "unchecked" in none.words
    two = proxy_check({"a": 1.0, "b": 0.9}, {"a": 2.0, "b": 1.8, "c": 1.0})
    assert two.n_agreeing == 1 and "2 recipes cannot show" in two.words and two.p_value is None
    three = proxy_check({"a": 1.0, "b": 0.9, "c": 0.8}, {"a": 2.0, "b": 1.7, "c": 1.8})
    assert three.n_agreeing == 2 and len(three.pairs) == 3
    assert three.kendall_tau == pytest.approx(1 / 3) and three.p_value == pytest.approx(1.0)
    assert "2 of 3 pairs" in three.words and "3 recipes cannot show" in three.words
    losses = {name: float(n) for n, name in enumerate("abcde")}
    five = proxy_check(losses, losses)
    assert five.p_value == pytest.approx(2 / 120) and "cannot" not in five.words and "p = 0.02 if" in five.words
    six = proxy_check(losses | {"f": 5.0}, losses | {"f": 5.0})
    assert six.p_value == pytest.approx(2 / 720) and "p < 0.01 if" in six.words


def test_of_a_seed_run_twice_the_newest_counts() -> None:
    old = made("a", 1)
    new = created("2026-02-02T00:00:00+00:00", old)
    assert by_recipe([old, new]) == by_recipe([new, old]) == [Group("a", (new,))]


def test_a_recipes_name_means_its_newest_unchanged_run(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    config = expected_config(made("adamw", 1))
    assert config is not None
    longer = {**config, "training": {**config["training"], "epochs": 9}}
    plain, changed = (
        dataclasses.replace(result, facts=dataclasses.replace(result.facts, config=each))
        for result, each in ((made("adamw", 1), config), (created("2026-01-02", made("adamw", 1)), longer))
    )
    finished = [plain, changed]
    monkeypatch.setattr(find, "finished_runs", lambda root: finished)
    assert find.select("adamw", tmp_path, tmp_path) == [plain]
    with pytest.raises(UserError, match="'adamw'"):
        find.select("adamv", tmp_path, tmp_path)
    finished.remove(plain)
    assert find.select("adamw", tmp_path, tmp_path) == [changed]


def test_a_published_recipes_name_means_its_unchanged_results(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    config = expected_config(made("adamw", 1))
    assert config is not None
    longer = {**config, "training": {**config["training"], "epochs": 9}}
    plain, changed = (
        dataclasses.replace(result, facts=dataclasses.replace(result.facts, config=each))
        for result, each in ((made("adamw", 1), config), (created("2026-01-02", made("adamw", 1)), longer))
    )
    monkeypatch.setattr(find, "list_results", lambda root: [plain, changed])
    assert find.select("adamw", tmp_path, tmp_path) == [plain]
