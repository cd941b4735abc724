"""Reading and finding runs."""

import json
from datetime import UTC, datetime

import pytest

from sevenepochs.errors import UserError
from sevenepochs.store.run import Run, RunWriter, find_run, layout, list_runs, write_analysis


def test_missing_and_corrupt_files_are_named_with_a_way_on(writer):
    run = Run(writer.path)
    with pytest.raises(UserError, match=r"config.json of run .* is missing; .*wait"):
        run.config  # noqa: B018
    writer.write_text("corpus.json", "[1]")
    with pytest.raises(UserError, match=r"corpus.json of run .* is corrupt"):
        run.corpus  # noqa: B018
    (writer.path / "environment.json").write_bytes(b"\xff\x00{")
    with pytest.raises(UserError, match=r"environment.json of run .* is corrupt"):
        run.environment  # noqa: B018
    assert run.certificate is None and run.summary is None
    writer.close()
    with pytest.raises(UserError, match=f"sevenepochs resume {run.path}"):
        run.read_text(layout.TOKENIZER)
    (writer.path / layout.CHECKPOINT).mkdir()
    (writer.path / layout.CHECKPOINT / layout.CHECKPOINT_STATE).write_text("{}")
    with pytest.raises(UserError, match=r"tokenizer.json of run .* is missing(?!.*resume)"):  # to resume cannot help
        run.read_text(layout.TOKENIZER)


@pytest.mark.parametrize(
    ("name", "read"),
    [
        (layout.CONFIG, lambda run: run.config),
        (layout.RUN, lambda run: run.recipe),
        (layout.TOKENIZER, lambda run: run.read_text(layout.TOKENIZER)),
        (layout.METRICS, lambda run: list(run.metrics())),
        (layout.MODEL, lambda run: run.load_model_tensors()),
    ],
)
def test_a_file_that_cannot_be_read_is_named(writer, name, read):
    run = Run(writer.path)
    (writer.path / name).unlink(missing_ok=True)
    (writer.path / name).mkdir()  # permissions would not do: root, who may run these tests, is denied nothing
    with pytest.raises(UserError, match=rf"{name} of run .*Is a directory"):
        read(run)


def test_schema_of_another_version(writer):
    info = json.loads((writer.path / layout.RUN).read_text())
    (writer.path / layout.RUN).write_text(json.dumps({**info, "schema_version": 99}))
    for read in (lambda run: run.config, lambda run: run.evaluations(), lambda run: run.load_checkpoint()):
        with pytest.raises(UserError, match=r"99.* 1;"):
            read(Run(writer.path))
    with pytest.raises(UserError, match="schema version"):
        RunWriter.reopen(writer.path)
    assert [run.name for run in list_runs(writer.path.parent)] == [writer.name]  # seen, though not readable


def test_not_a_run(tmp_path):
    with pytest.raises(UserError, match="does not exist"):
        Run(tmp_path / "nothing")
    with pytest.raises(UserError, match="is not a run folder"):
        Run(tmp_path)
    assert list_runs(tmp_path / "nothing") == []


def test_analysis_may_be_added_to_a_complete_run(writer):
    writer.finish({})
    write_analysis(Run(writer.path), "next_token", {"p": 0.5})
    assert Run(writer.path).analysis_names() == ["next_token"]
    assert Run(writer.path).analysis("next_token") == {"p": 0.5}


def test_find_run(root, monkeypatch, tmp_path):
    with pytest.raises(UserError, match="holds no runs yet"):
        find_run("last", root)
    day = [datetime(2026, 1, n, tzinfo=UTC) for n in range(1, 4)]
    for recipe, seed, now in [("baseline", 1337, day[2]), ("adamw", 1337, day[0]), ("adamw", 1338, day[1])]:
        RunWriter.create(root, recipe, seed, now=now).close()
    (root / "notes").mkdir()
    assert [run.name[:8] for run in list_runs(root)] == ["20260101", "20260102", "20260103"]
    assert find_run("last", root).recipe == "baseline"
    assert find_run("20260102", root).seed == 1338
    assert find_run("adamw_s1337", root).seed == 1337
    assert find_run("adamw", root).seed == 1338  # the newest of the recipe
    assert find_run("20260101T000000Z_adamw_s1337", root).seed == 1337
    for n, settings in enumerate((["training.snapshots=true"], ["optimizer.lr=1e-4"], ["training.epochs=3"])):
        RunWriter.create(root, "adamw", 1340 + n, settings, now=datetime(2026, 1, 2, 1 + n, tzinfo=UTC)).close()
    assert find_run("adamw", root).seed == 1340  # a changed recipe is another one, where there is the unchanged one
    assert find_run("adamw_s1341", root).changes == ["optimizer.lr=1e-4"]
    with RunWriter.create(root, "mine.py:wider", 1, now=day[1].replace(minute=1)) as writer:
        assert find_run("mine.py:wider", root).name == find_run("mine.py-wider", root).name == writer.name
    monkeypatch.chdir(tmp_path)
    assert find_run("runs/20260101T000000Z_adamw_s1337/", root).name == "20260101T000000Z_adamw_s1337"
    with pytest.raises(UserError, match=r"could be 2 runs; .*adamw_s1337, .*baseline_s1337"):
        find_run("1337", root)
    with pytest.raises(UserError, match="did you mean '20260102T000000Z_adamw_s1338'"):
        find_run("20260102T000000Z_adam_s1338", root)
    with pytest.raises(UserError, match="no run 'adamw_s13'"):  # inside a name means nothing: it might be a recipe's
        find_run("adamw_s13", root)
    for text in ("x" * 300, f"runs/{'x' * 300}"):  # no file can have such a name
        with pytest.raises(UserError, match=r"no run .(runs/)?x"):
            find_run(text, root)
    with pytest.raises(UserError, match="no run ''"):
        find_run("", root)
    with pytest.raises(UserError, match="is not a run folder"):
        find_run("runs/notes", root)


def test_damaged_folders_stop_nobody_who_does_not_name_them(root):
    nameless = json.dumps({"schema_version": layout.SCHEMA_VERSION})
    for recipe, seed, content in [("adamw", 1, "{"), ("rope", 2, '{"schema_version": 99}'), ("sgd", 3, nameless)]:
        writer = RunWriter.create(root, recipe, seed)
        writer.close()
        (writer.path / layout.RUN).write_text(content)
    RunWriter.create(root, "adamw", 4).close()
    assert find_run("adamw", root).seed == 4
    assert find_run("adamw_s4", root).seed == 4
    for named, message in [("adamw_s1", "is corrupt"), ("rope_s2", "version 99"), ("sgd_s3", "no recipe or seed")]:
        with pytest.raises(UserError, match=f"{named}.*{message}"):
            find_run(named, root).recipe  # noqa: B018
    with pytest.raises(UserError, match="no run 'rope'"):
        find_run("rope", root)
