# ---
# jupyter:
#   jupytext:
#     text_representation:
#       extension: .py
#       format_name: percent
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# # Best recipe
#
# The lowest exact loss so far: a single model, every rule kept. It is compared with the first run.

# %%
REPOSITORY = ""  # where the package is installed from when it is missing: project.urls.Repository of pyproject.toml
import importlib.util
import subprocess
import sys

if importlib.util.find_spec("sevenepochs") is None:
    if not REPOSITORY:
        raise SystemExit("sevenepochs is not published yet: set REPOSITORY to the git address of your copy")
    subprocess.run([sys.executable, "-m", "pip", "install", "-q", f"sevenepochs[plots] @ git+{REPOSITORY}"], check=True)

import sevenepochs

# %% [markdown]
# `RUN` says what is looked at:
#
# - `"results"`: the project's published results; nothing is trained;
# - a run folder, such as `"runs/20260101T000000Z_baseline_s1337"`, or a folder of results;
# - `"train"`: train now, on the challenge's titles from the Hugging Face hub (minutes on a GPU, hours on a CPU);
#   `"train demo"`: train small models on the embedded titles (a few minutes anywhere).

# %%
RUN = "results"
story = sevenepochs.open_story(RUN, "best")
story

# %% [markdown]
# ## Every run on these titles
#
# The highest exact loss first.

# %%
#| label: all_runs
story.overview()

# %% [markdown]
# ## What did each technique give?
#
# The ladder: each recipe is the one before it with one change, and its effect is measured title by title.

# %%
#| label: ladder_effects
story.ladder()

# %% [markdown]
# ## All changes since the first run

# %%
#| label: best_change
story.best.change()

# %% [markdown]
# ## What came out

# %%
#| label: best_figures
story.best.figures()

# %%
#| label: best_loss
story.best.curve()

# %%
#| label: best_training_loss
story.best.curve("train_loss_nats_per_token")

# %% [markdown]
# ## What it predicts
#
# Shown of the best run that was published with its analyses; the figure names it.

# %%
#| label: best_words
story.inside.ask("next_token", "0_10")

# %% [markdown]
# ## Did it keep the rules?

# %%
#| label: best_certificate
story.best.certificate()
