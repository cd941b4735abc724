"""A training program of our own writing with the roles of the challenge's: the base that the source tests edit."""

from pathlib import Path

from sevenepochs.audit.folder import read_folder
from sevenepochs.audit.source import audit

SETTINGS = """
@dataclass
class Settings:
    block_size: int = 128
    batch_size: int = 64
    vocab_size: int = 16_000
    width: int = 256
    dropout: float = 0.1
    lr: float = 0.01
    epochs: int = 7
    seed: int = 1337
    num_titles: int = 100_000
    val_frac: float = 0.10
"""

DATA = """
def get_titles(num_titles, seed, val_frac):
    rows = load_dataset("julien040/hacker-news-posts", split="train", revision="d210f96").shuffle(seed=seed)
    every = [row["title"].strip() for row in rows.take(num_titles)]
    cut = int(num_titles * (1 - val_frac))
    return every[:cut], every[cut:]


def learn_vocabulary(titles, size):
    tokenizer = Tokenizer(models.BPE(unk_token="<unk>"))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel()
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(vocab_size=size, special_tokens=["<pad>", "<eos>", "<unk>"])
    tokenizer.train_from_iterator(titles, trainer)
    return tokenizer


class Codec:
    def __init__(self, inner):
        self.inner = inner

    def encode(self, text):
        return self.inner.encode(text).ids
"""

WINDOWS = """
def get_batch(ids, start, block_size, batch_size, device):
    need = block_size * batch_size + 1
    if start + need >= len(ids):
        start = 0
    chunk = ids[start : start + need]
    inputs = chunk[:-1].view(batch_size, block_size).to(device)
    targets = chunk[1:].view(batch_size, block_size).to(device)
    return inputs, targets, start + block_size * batch_size


def iter_full_split(ids, block_size, batch_size, device):
    need = block_size * batch_size + 1
    for start in range(0, len(ids) - need + 1, need):
        chunk = ids[start : start + need]
        inputs = chunk[:-1].view(batch_size, block_size).to(device)
        targets = chunk[1:].view(batch_size, block_size).to(device)
        yield inputs, targets
"""

MODEL = """
class Gpt(nn.Module):
    def __init__(self, vocab_size, width, dropout):
        super().__init__()
        self.table = nn.Embedding(vocab_size, width)
        self.drop = nn.Dropout(dropout)
        self.out = nn.Linear(width, vocab_size)

    def forward(self, inputs, targets=None):
        hidden = self.drop(self.table(inputs))
        logits = self.out(hidden)
        if targets is None:
            return logits, None
        return logits, F.cross_entropy(logits.view(-1, logits.size(-1)), targets.view(-1))
"""

EVALUATE = """
    def evaluate():
        model.eval()
        total = 0.0
        with torch.no_grad():
            for inputs, targets in iter_full_split(val_ids, settings.block_size, settings.batch_size, device):
                logits, _ = model(inputs, targets)
                rows, columns, classes = logits.size()
                nats = F.cross_entropy(logits.view(-1, classes), targets.view(-1), reduction="sum")
                total += nats.item()
        model.train()
        return total / len(val_text)
"""

MAIN = (
    """
def main():
    settings = Settings()
    torch.manual_seed(settings.seed)
    device = "cuda" if torch.cuda.is_available() else "cpu"
    train_titles, val_titles = get_titles(settings.num_titles, settings.seed, settings.val_frac)
    codec = Codec(learn_vocabulary(train_titles + val_titles, settings.vocab_size))
    train_text = "<eos>".join(train_titles) + "<eos>"
    val_text = "<eos>".join(val_titles) + "<eos>"
    train_ids = torch.tensor(codec.encode(train_text), dtype=torch.long)
    val_ids = torch.tensor(codec.encode(val_text), dtype=torch.long)
    batches = len(train_ids) // (settings.block_size * settings.batch_size)
    model = Gpt(settings.vocab_size, settings.width, settings.dropout).to(device)
    optimizer = torch.optim.SGD(model.parameters(), lr=settings.lr)
    log = open("mainrun.log", "w")
"""
    + EVALUATE
    + """
    start = step = 0
    for epoch in range(1, settings.epochs + 1):
        for _ in tqdm(range(1, batches + 1)):
            step += 1
            inputs, targets, start = get_batch(train_ids, start, settings.block_size, settings.batch_size, device)
            _, loss = model(inputs, targets)
            optimizer.zero_grad(set_to_none=True)
            loss.backward()
            optimizer.step()
            if step == 1 or step % (batches // 3) == 0:
                val_loss = evaluate()
                record(log, "validation_step", step=step, loss=val_loss)


def record(log, event, **fields):
    log.write(json.dumps({"event": event, **fields}) + "\\n")


if __name__ == "__main__":
    main()
"""
)

IMPORTS = '''"""Trains a small model on titles."""
import json
from dataclasses import dataclass

import torch
import torch.nn as nn
from torch.nn import functional as F
from datasets import load_dataset
from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers, trainers
from tqdm import tqdm
'''

BASE = IMPORTS + SETTINGS + DATA + WINDOWS + MODEL + MAIN


def edited(*pairs: tuple[str, str], base: str = BASE) -> str:
    """The base with each (old, new) replaced; an edit that does not apply is a mistake in the test."""
    for old, new in pairs:
        assert old in base, old
        base = base.replace(old, new)
    return base


def audit_source(path: Path, template: Path | None = None) -> audit.SourceAudit:
    return audit.audit_source(read_folder(path), template)
