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
# # First run: the stock program
#
# The challenge hands out a program that trains a small GPT on Hacker News titles with plain SGD. This notebook looks at
# its run: the figures, the loss curve, and what the model predicts.

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
story = sevenepochs.open_story(RUN, "first")
story

# %% [markdown]
# ## What came out
#
# The figures of the run, and what it cost.

# %%
#| label: first_run_figures
story.first.figures()

# %% [markdown]
# ## The loss over the steps
#
# Every evaluation of the run, each over every validation token.

# %%
#| label: loss_first_run
story.first.curve()

# %% [markdown]
# ## What goes in
#
# The most frequent tokens of the training text. `<eos>` ends every title.

# %%
#| label: token_frequency_input
story.first.ask("token_frequency")

# %% [markdown]
# Titles are short.

# %%
#| label: title_lengths
story.first.ask("data", "lengths")

# %% [markdown]
# ## What comes out
#
# The ten most probable next tokens after the first eleven tokens of the validation text: row 0, position 10 of the
# first stock validation window.

# %%
#| label: token_frequency_first_run
story.first.ask("next_token", "0_10")

# %% [markdown]
# The same with a longer context, at position 80.

# %%
#| label: token_frequency_first_run_80
story.first.ask("next_token", "0_80")

# %% [markdown]
# ## Does it use what it reads?
#
# The mean prediction beside the training frequencies, and what the predictions gain over knowing the frequencies
# alone. The yardstick is a table that knows the one token before.

# %%
#| label: first_run_collapse
story.first.ask("collapse")

# %% [markdown]
# ## Did it keep the rules?

# %%
#| label: first_run_certificate
story.first.certificate()
