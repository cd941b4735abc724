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
# # Step one: the optimizer
#
# One change against the first run: AdamW in place of SGD. The hypothesis: one rate for all parameters holds the stock
# model back, because the rows of rare tokens hardly ever move.

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
story = sevenepochs.open_story(RUN, "one")
story

# %% [markdown]
# ## The change
#
# The settings that differ from the run before.

# %%
#| label: step_one_change
story.one.change()

# %% [markdown]
# ## What came out

# %%
#| label: step_one_figures
story.one.figures()

# %%
#| label: step_one_loss
story.one.curve()

# %% [markdown]
# Training loss is per token, not per character, and has dropout on: another axis.

# %%
#| label: step_one_training_loss
story.one.curve("train_loss_nats_per_token")

# %% [markdown]
# ## Predictions before and after
#
# The same place of the validation text: before the change,

# %%
#| label: step_one_words_before
story.one.ask("next_token", "0_10", before=True)

# %% [markdown]
# and after it.

# %%
#| label: step_one_words
story.one.ask("next_token", "0_10")

# %% [markdown]
# With a longer context, at position 80:

# %%
#| label: step_one_words_80
story.one.ask("next_token", "0_80")

# %% [markdown]
# ## Does it use what it reads?
#
# The mean prediction beside the training frequencies, and what the predictions gain over knowing the frequencies
# alone. The yardstick is a table that knows the one token before.

# %%
#| label: step_one_collapse
story.one.ask("collapse")

# %% [markdown]
# ## Did it keep the rules?

# %%
#| label: step_one_certificate
story.one.certificate()
