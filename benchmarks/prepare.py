"""One preparation in a fresh process: `python prepare.py TITLES_FILE` reads it, trains the stock tokenizer, encodes.

All titles are used, 9 of 10 for training, where the challenge would stop at 100,000. Prints one line of JSON. The cache
of trained tokenizers must be empty: the caller points $SEVENEPOCHS_CACHE to a new folder.
"""

from __future__ import annotations

import itertools
import json
import sys
import time

from memory import peak_bytes

from sevenepochs.data.corpus.file import FileCorpus
from sevenepochs.data.tokenizer.trained import BPE
from sevenepochs.protocol.budget import VAL_FRACTION, Split


def main(file: str) -> None:
    moments = [time.perf_counter()]
    titles = tuple(title.strip() for title in FileCorpus(file).load().rows)
    n_train = int(len(titles) * (1 - VAL_FRACTION))
    split = Split(titles[:n_train], titles[n_train:])
    moments.append(time.perf_counter())
    tokenizer = BPE().build(split)
    moments.append(time.perf_counter())
    n_tokens = len(tokenizer.encode_stream(split.train)) + len(tokenizer.encode_stream(split.validation))
    moments.append(time.perf_counter())
    load, train, encode = (round(after - before, 4) for before, after in itertools.pairwise(moments))
    facts = {"n_titles": len(titles), "n_tokens": n_tokens, "vocab_size": tokenizer.vocab_size}
    run = {"seconds": {"load": load, "tokenizer": train, "encode": encode}, "peak_bytes": peak_bytes()}
    print(json.dumps({"facts": facts, "run": run}))


if __name__ == "__main__":
    main(sys.argv[1])
