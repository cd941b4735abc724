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
# # Step two: the architecture
#
# Rotary positions, RMSNorm, a larger vocabulary, and fewer, wider layers, all on top of step one. The hypothesis: short
# titles gain from relative positions and from fewer tokens to predict.

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
story = sevenepochs.open_story(RUN, "two")
story

# %% [markdown]
# ## The change
#
# The settings that differ from step one.

# %%
#| label: step_two_change
story.two.change()

# %% [markdown]
# ## What came out

# %%
#| label: step_two_figures
story.two.figures()

# %%
#| label: step_two_loss
story.two.curve()

# %% [markdown]
# ## Predictions before and after
#
# The vocabularies differ, so the same number of tokens is not the same text: each figure names its context. Before the
# change,

# %%
#| label: output_step_two_token_10_before
story.two.ask("next_token", "0_10", before=True)

# %% [markdown]
# and after it.

# %%
#| label: output_step_two_token_10
story.two.ask("next_token", "0_10")

# %% [markdown]
# With a longer context, at position 80:

# %%
#| label: token_predictions_two
story.two.ask("next_token", "0_80")

# %% [markdown]
# ## Does it use what it reads?
#
# The mean prediction beside the training frequencies, and what the predictions gain over knowing the frequencies
# alone. The yardstick is a table that knows the one token before.

# %%
#| label: step_two_collapse
story.two.ask("collapse")

# %% [markdown]
# ## Did it keep the rules?

# %%
#| label: step_two_certificate
story.two.certificate()
