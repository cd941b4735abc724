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
# # Looking inside
#
# A loss is one number. This notebook asks what is behind it: does the model use the titles at all, and where is its
# loss?

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
# ## The runs

# %%
#| label: inside_runs
story.overview()

# %% [markdown]
# ## What the first run predicts
#
# After eleven tokens and after eighty-one: whoever predicts the same in both places does not read.

# %%
#| label: inside_first_10
story.first.ask("next_token", "0_10")

# %%
#| label: inside_first_80
story.first.ask("next_token", "0_80")

# %% [markdown]
# ## What the best recipe predicts
#
# The best of those that were published with their analyses; the figure names it.

# %%
#| label: inside_best_10
story.inside.ask("next_token", "0_10")

# %%
#| label: inside_best_80
story.inside.ask("next_token", "0_80")

# %% [markdown]
# ## Where is the loss?
#
# By the token's place in its title, in nats per token:

# %%
#| label: where_loss_position
story.where("position")

# %% [markdown]
# By how often the token occurs in training:

# %%
#| label: where_loss_frequency
story.where("frequency")

# %% [markdown]
# By kind of title, in nats per character:

# %%
#| label: where_loss_prefix
story.where("prefix")

# %% [markdown]
# By whether the title occurs in training, too:

# %%
#| label: where_loss_known
story.where("known")

# %% [markdown]
# ## Learned by heart?
#
# Titles that come again are short and formulaic, so a low loss on them shows nothing yet. Beside it stands what a table
# of token pairs makes of the same titles, counted without the training titles that they repeat. A model that remembers
# titles has a lower ratio to it on those it met.

# %%
#| label: best_memorisation
story.inside.ask("memorisation")

# %% [markdown]
# ## Is it as sure as it should be?

# %%
#| label: best_calibration
story.inside.ask("calibration")
