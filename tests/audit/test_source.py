"""The source audit on a program of our own: every change is shown with its lines, no innocent rewriting breaks a rule."""

# ruff: noqa: E501 (the edits are lines of a program, kept whole)

from __future__ import annotations

import difflib
import importlib.util
from pathlib import Path

import pytest

from sevenepochs.audit.source.audit import SourceAudit

_spec = importlib.util.spec_from_file_location("source_program", Path(__file__).with_name("source_program.py"))
assert _spec and _spec.loader
program = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(program)
audit_source = program.audit_source
BASE, EVALUATE, WINDOWS, DATA, MODEL, MAIN, SETTINGS, IMPORTS = (
    program.BASE, program.EVALUATE, program.WINDOWS, program.DATA, program.MODEL, program.MAIN, program.SETTINGS,
    program.IMPORTS,
)  # fmt: skip

NATS = '                nats = F.cross_entropy(logits.view(-1, classes), targets.view(-1), reduction="sum")\n'
LOOP = (
    "            for inputs, targets in iter_full_split(val_ids, settings.block_size, settings.batch_size, device):\n"
)
RETURN = "        return total / len(val_text)\n"
YIELDED = WINDOWS[WINDOWS.index("def iter_full_split") :]
ENCODED = '    train_text = "<eos>".join(train_titles) + "<eos>"\n'
BATCH = "get_batch(train_ids, start, settings.block_size, settings.batch_size, device)"


def windows(*pairs: tuple[str, str]) -> tuple[str, str]:
    """An edit of iter_full_split alone."""
    return YIELDED, program.edited(*pairs, base=YIELDED)


# name: (the place that is changed, the rule that is broken where one is known, edits)
BROKEN: dict[str, tuple[str, str, list[tuple[str, str]]]] = {
    "per token": ("evaluate", "eval-divisor", [(RETURN, "        return total / len(val_ids)\n")]),
    "per scored token": ("evaluate", "eval-divisor", [
        ("        total = 0.0\n", "        total, seen = 0.0, 0\n"), (NATS, NATS + "                seen += targets.numel()\n"),
        (RETURN, "        return total / seen\n")]),
    "bytes": ("evaluate", "eval-divisor", [(RETURN, '        return total / len(val_text.encode("utf-8"))\n')]),
    "train characters": ("evaluate", "eval-divisor", [(RETURN, "        return total / len(train_text)\n")]),
    "both texts": ("evaluate", "eval-divisor", [(RETURN, "        return total / (2 * len(val_text))\n")]),
    "not divided": ("evaluate", "", [(RETURN, "        return total\n")]),
    "mean": ("evaluate", "", [(', reduction="sum")', ")")]),
    "mean named": ("evaluate", "", [('reduction="sum"', 'reduction="mean"')]),
    "overlap": ("windows", "", [windows(("need + 1, need)", "need + 1, need // 2)"))]),
    "no gap": ("windows", "", [windows(("need + 1, need)", "need + 1, need - 1)"))]),
    "skips windows": ("windows", "", [windows(("need + 1, need)", "need + 1, 2 * need)"))]),
    "first half": ("windows", "", [windows(("len(ids) - need + 1", "len(ids) // 2"))]),
    "breaks early": ("evaluate", "", [
        (LOOP, LOOP.replace("for inputs, targets in ", "for i, (inputs, targets) in enumerate(").replace("):\n", ")):\n")
         + "                if i == 10:\n                    break\n")]),
    "islice": ("evaluate", "", [
        ("import json\n", "import json\nfrom itertools import islice\n"),
        (LOOP, LOOP.replace("iter_full_split(", "islice(iter_full_split(").replace("device):", "device), 5):"))]),
    "scores half a window": ("evaluate", "", [
        (NATS, "                targets = targets[:, 64:]\n" + NATS.replace("logits.view", "logits[:, 64:].reshape"))]),
    "no window": ("settings", "", [("batch_size: int = 64", "batch_size: int = 1024")]),
    "tail too": ("windows", "", [
        windows(("        yield inputs, targets\n", '        yield inputs, targets\n    rest = ids[start + need :]\n    yield rest[:-1].view(1, -1).to(device), rest[1:].view(1, -1).to(device)\n'))]),
    "random windows": ("windows", "", [
        windows(("    for start in range(0, len(ids) - need + 1, need):\n",
                 "    for start in torch.randint(0, len(ids) - need, (20,)).tolist():\n"))]),
    "wrong targets": ("windows", "", [windows(("chunk[1:]", "chunk[:-1]"))]),
    "temperature": ("evaluate", "", [("logits.view(-1, classes), targets", "logits.view(-1, classes) / 1.3, targets")]),
    "softcap": ("evaluate", "", [(NATS, "                logits = 15 * torch.tanh(logits / 15)\n" + NATS)]),
    "unigram mixed in": ("evaluate", "", [(NATS, "                logits = logits + unigram\n" + NATS)]),
    "label smoothing": ("evaluate", "eval-targets", [('reduction="sum"', 'reduction="sum", label_smoothing=0.1')]),
    "ignored targets": ("evaluate", "eval-targets", [('reduction="sum"', 'reduction="sum", ignore_index=1')]),
    "other batch": ("evaluate", "", [(LOOP, LOOP.replace("settings.batch_size", "256"))]),
    "other block": ("evaluate", "", [(LOOP, LOOP.replace("settings.block_size", "512"))]),
    "best of three": ("epoch loop", "eval-best-of", [
        ("val_loss = evaluate()", "val_loss = min(evaluate() for _ in range(3))")]),
    "best so far": ("epoch loop", "", [
        ("    start = step = 0\n", '    best, start, step = float("inf"), 0, 0\n'),
        ("                record(", "                if val_loss < best:\n                    best = val_loss\n                record("),
        ("loss=val_loss", "loss=best")]),
    "averaged": ("epoch loop", "eval-changed", [
        ("val_loss = evaluate()", "val_loss = (evaluate() + evaluate()) / 2")]),
    "training titles": ("evaluate", "eval-divisor", [
        (LOOP, LOOP.replace("val_ids", "train_ids")), (RETURN, "        return total / len(train_text)\n")]),
    "swapped split": ("title selection", "", [("return every[:cut], every[cut:]", "return every[cut:], every[:cut]")]),
    "test-time training": ("evaluate", "test-time-training", [
        (NATS, NATS + "                nats.backward()\n                optimizer.step()\n")]),
    "n-gram cache": ("evaluate", "", [
        ("        total = 0.0\n", "        total, cache = 0.0, NgramCache()\n"), (NATS, NATS + "                cache.update(targets)\n")]),
    "no eval mode": ("evaluate", "eval-mode", [("        model.eval()\n", "")]),
    "train mode": ("evaluate", "eval-mode", [("        model.eval()\n", "        model.train(True)\n")]),
    "epochs": ("settings", "fixed-epochs", [("epochs: int = 7", "epochs: int = 14")]),
    "epochs in call": ("settings", "fixed-epochs", [("settings = Settings()", "settings = Settings(epochs=20)")]),
    "epochs assigned": ("settings", "fixed-epochs", [("    device =", "    settings.epochs = 10\n    device =")]),
    "epochs argument": ("settings", "fixed-epochs", [
        ("    settings = Settings()\n", '    parser = argparse.ArgumentParser()\n    parser.add_argument("--epochs", type=int, default=21)\n    settings = parser.parse_args()\n')]),
    "longer loop": ("epoch loop", "", [("settings.epochs + 1", "2 * settings.epochs + 1")]),
    "inner loop": ("epoch loop", "", [("tqdm(range(1, batches + 1))", "tqdm(range(3 * batches))")]),
    "parts of a batch counted as batches": ("epoch loop", "", [("import json\n", "import argparse\nimport json\n"),
        ("    settings = Settings()\n", '    parser = argparse.ArgumentParser()\n    parser.add_argument("--parts", type=int, default=4)\n    options = parser.parse_args()\n    settings = Settings()\n'),
        ("(settings.block_size * settings.batch_size)\n", "(settings.block_size * (settings.batch_size // options.parts))\n"),
        ("            inputs, targets, start = " + BATCH + "\n            _, loss = model(inputs, targets)\n            optimizer.zero_grad(set_to_none=True)\n            loss.backward()\n",
         "            optimizer.zero_grad(set_to_none=True)\n            for part in range(options.parts):\n                inputs, targets, start = " + BATCH.replace("settings.batch_size", "settings.batch_size // options.parts")
         + "\n                _, loss = model(inputs, targets)\n                (loss / 4).backward()\n")]),
    "repeated titles": ("text assembly", "training-text-changed", [('"<eos>".join(train_titles)', '"<eos>".join(train_titles * 4)')]),
    "seed": ("settings", "fixed-seed", [("seed: int = 1337", "seed: int = 42")]),
    "shuffle seed": ("title selection", "fixed-seed", [(".shuffle(seed=seed)", ".shuffle(seed=7)")]),
    "titles": ("settings", "fixed-titles", [("num_titles: int = 100_000", "num_titles: int = 400_000")]),
    "fraction": ("settings", "fixed-val-frac", [("val_frac: float = 0.10", "val_frac: float = 0.01")]),
    "lowercase": ("tokenizer", "lossy-tokenizer", [
        ("    tokenizer.decoder", "    tokenizer.normalizer = normalizers.Lowercase()\n    tokenizer.decoder")]),
    "nfkc in sequence": ("tokenizer", "lossy-tokenizer", [
        ("    tokenizer.decoder", "    tokenizer.normalizer = normalizers.Sequence([normalizers.NFKC()])\n    tokenizer.decoder")]),
    "bert normalizer": ("tokenizer", "lossy-tokenizer", [
        ("    tokenizer.decoder", "    tokenizer.normalizer = normalizers.BertNormalizer(lowercase=True)\n    tokenizer.decoder")]),
    "whitespace": ("tokenizer", "lossy-tokenizer", [("pre_tokenizers.ByteLevel()", "pre_tokenizers.Whitespace()")]),
    "lower titles": ("title selection", "titles-changed", [('row["title"].strip()', 'row["title"].strip().lower()')]),
    "lower text": ("text assembly", "titles-changed", [('"<eos>".join(val_titles) + "<eos>"', '("<eos>".join(val_titles) + "<eos>").lower()')]),
    "regex": ("text assembly", "titles-changed", [
        (ENCODED, '    val_titles = [re.sub(r"[^a-z ]", "", title) for title in val_titles]\n' + ENCODED)]),
    "markers": ("text assembly", "titles-changed", [
        (ENCODED, '    val_titles = [f"<start>{title}" for title in val_titles]\n' + ENCODED)]),
    "markers by function": ("text assembly", "titles-changed", [
        (ENCODED, "    val_titles = mark(val_titles)\n" + ENCODED),
        ("def main():", 'def mark(titles):\n    marked = []\n    for title in titles:\n        marked.append("<caps>" + title)\n    return marked\n\n\ndef main():')]),
    "markers in place": ("text assembly", "titles-changed", [
        (ENCODED, "    val_titles = mark(val_titles)\n" + ENCODED),
        ("def main():", 'def mark(titles):\n    def word(text):\n        return "<caps>" + text if text.isupper() else text\n\n    for i in range(len(titles)):\n        titles[i] = " ".join(map(word, titles[i].split(" ")))\n    return titles\n\n\ndef main():')]),
    "lower case in place": ("text assembly", "titles-changed", [
        (ENCODED, "    for i, title in enumerate(val_titles):\n        val_titles[i] = title.lower()\n" + ENCODED)]),
    "long separator": ("text assembly", "separator", [('"<eos>".join(val_titles)', '"<end-of-title>".join(val_titles)')]),
    "easy titles": ("text assembly", "", [
        (ENCODED, "    val_titles = [title for title in val_titles if len(title) > 30]\n" + ENCODED)]),
    "fewer titles": ("text assembly", "", [(ENCODED, "    val_titles = val_titles[:2_000]\n" + ENCODED)]),
    "deduplicated": ("text assembly", "", [
        (ENCODED, "    val_titles = list(dict.fromkeys(val_titles))\n" + ENCODED)]),
    "functional dropout": ("", "dropout-at-eval", [
        ("hidden = self.drop(self.table(inputs))", "hidden = F.dropout(self.table(inputs), 0.1)")]),
    "attention dropout": ("", "dropout-at-eval", [
        ("hidden = self.drop(self.table(inputs))",
         "hidden = F.scaled_dot_product_attention(inputs, inputs, inputs, dropout_p=self.rate, is_causal=True)")]),
    "no revision": ("title selection", "data-revision", [(', revision="d210f96"', "")]),
    "stale tokenizer": ("tokenizer", "cached-data", [
        ("codec = Codec(learn_vocabulary(train_titles + val_titles, settings.vocab_size))", 'codec = Codec(Tokenizer.from_file("tokenizer.json"))')]),
    "pretrained": ("", "pretrained-weights", [
        ("Gpt(settings.vocab_size, settings.width, settings.dropout)", 'GPT2LMHeadModel.from_pretrained("gpt2")')]),
    "downloaded weights": ("", "pretrained-weights", [
        ("    optimizer =", '    model.load_state_dict(torch.load(hf_hub_download("a/b", "w.pt", revision="1")))\n    optimizer =')]),
    "trains on validation": ("text assembly", "trains-on-validation", [
        ('"<eos>".join(train_titles)', '"<eos>".join(train_titles + val_titles)')]),
    "trains on validation ids": ("text assembly", "trains-on-validation", [
        ("    batches = len", "    train_ids = torch.cat([train_ids, val_ids])\n    batches = len")]),
    "augmented": ("text assembly", "", [
        (ENCODED, "    train_titles = [synonyms(title) for title in train_titles]\n" + ENCODED)]),
    "extended": ("text assembly", "", [
        ('"<eos>".join(train_titles)', '"<eos>".join(train_titles + load_more())')]),
}  # fmt: skip

EVALUATOR_CLASS = '''
class Evaluator:
    def __init__(self, model, ids, text, settings, device):
        self.model, self.ids, self.text = model, ids, text
        self.block, self.rows = settings.block_size, settings.batch_size
        self.device = device

    @torch.no_grad()
    def __call__(self):
        """Nats per character."""
        self.model.eval()
        total = sum(self.one(x, y) for x, y in iter_full_split(self.ids, self.block, self.rows, self.device))
        self.model.train()
        return total / len(self.text)

    def one(self, x, y):
        logits = self.model(x)[0]
        return F.cross_entropy(logits.flatten(0, 1), y.flatten(), reduction="sum").item()
'''
PARAMETERS = """
@torch.inference_mode()
def evaluate(net, tokens, text, block, rows, device):
    net.eval()
    losses = []
    for x, y in tqdm(iter_full_split(tokens, block_size=block, batch_size=rows, device=device), leave=False):
        with torch.autocast("cuda", dtype=torch.bfloat16):
            scores, _ = net(x, y)
        losses.append(nn.CrossEntropyLoss(reduction="sum")(scores.float().reshape(-1, scores.shape[-1]), y.reshape(-1)))
    net.train()
    return float(torch.stack(losses).sum()) / len(text)
"""
CALL = (
    "val_loss = evaluate()",
    "val_loss = evaluate(model, val_ids, val_text, settings.block_size, settings.batch_size, device)",
)
WHILE = '''
def iter_full_split(ids, block_size, batch_size, device):
    """Windows one after the other."""
    first = 0
    while first + (span := batch_size * block_size + 1) <= ids.numel():
        grid = ids.narrow(0, first, span)
        yield grid[:-1].reshape(batch_size, -1).to(device, non_blocking=True), grid[1:].reshape(-1, block_size).to(device)
        first += span
'''
LISTED = """
def iter_full_split(ids, block_size, batch_size, device):
    width = block_size * batch_size
    count = len(ids) // (width + 1)
    return [
        tuple(part.view(batch_size, block_size) for part in (ids[i * (width + 1) :][:width], ids[i * (width + 1) + 1 :][:width]))
        for i in range(count)
    ]
"""
INNOCENT: dict[str, list[tuple[str, str]]] = {
    "as it is": [],
    "renamed": [("iter_full_split", "validation_windows"), ("get_batch", "next_rows"), ("settings", "hp"), ("total", "acc")],
    "comments": [(NATS, "                # summed, not averaged\n" + NATS), ("model.eval()", "model.eval()  # no dropout")],
    "docstrings": [("def evaluate():\n", 'def evaluate():\n        """The stock metric."""\n')],
    "type hints": [("def evaluate():", "def evaluate() -> float:"), ("total = 0.0", "total: float = 0.0")],
    "zero as int": [("total = 0.0", "total = 0")],
    "train(True)": [("        model.train()\n", "        model.train(True)\n"), ("model.eval()", "model.train(False)")],
    "inference mode": [("with torch.no_grad():", "with torch.inference_mode():")],
    "keywords": [(LOOP, LOOP.replace("val_ids, settings.block_size, settings.batch_size, device",
                                     "device=device, batch_size=settings.batch_size, block_size=settings.block_size, ids=val_ids"))],
    "order of operands": [("block_size * batch_size + 1", "1 + batch_size * block_size")],
    "walrus": [(NATS, "                if (nats := F.cross_entropy(logits.view(-1, classes), targets.view(-1), reduction='sum')) is None:\n                    continue\n")],
    "mean times count": [(NATS, NATS.replace(', reduction="sum")', ") * targets.numel()"))],
    "log softmax": [(NATS, '                nats = F.nll_loss(logits.log_softmax(-1).view(-1, classes), targets.view(-1), reduction="sum")\n')],
    "moved out": [(EVALUATE, ""), ("def main():", PARAMETERS + "\n\ndef main():"), CALL],
    "class": [(EVALUATE, "    evaluate = Evaluator(model, val_ids, val_text, settings, device)\n"), ("def main():", EVALUATOR_CLASS + "\n\ndef main():")],
    "while": [(YIELDED, WHILE)],
    "list of windows": [(YIELDED, LISTED)],
    "tqdm": [("in iter_full_split(val_ids, settings.block_size, settings.batch_size, device)", "in tqdm(iter_full_split(val_ids, settings.block_size, settings.batch_size, device), desc='val')")],
    "enumerate": [(LOOP, LOOP.replace("for inputs, targets in ", "for i, (inputs, targets) in enumerate(").replace("):\n", ")):\n"))],
    "compile": [("    optimizer =", "    model = torch.compile(model)\n    optimizer =")],
    "autocast": [("            _, loss = model(inputs, targets)\n", "            with torch.autocast(device, dtype=torch.bfloat16):\n                _, loss = model(inputs, targets)\n")],
    "accumulation": [("batches = len(train_ids) // (settings.block_size * settings.batch_size)", "batches = len(train_ids) // (settings.block_size * 16)"),
                     (BATCH, BATCH.replace("settings.batch_size", "16")), ("loss.backward()", "(loss / 4).backward()")],
    "adamw": [("torch.optim.SGD(model.parameters(), lr=settings.lr)", "torch.optim.AdamW(model.parameters(), lr=1e-3, betas=(0.9, 0.95))")],
    "r-drop": [("            _, loss = model(inputs, targets)\n", "            one, first = model(inputs, targets)\n            two, second = model(inputs, targets)\n            loss = (first + second) / 2 + divergence(one, two)\n")],
    "label smoothing in training": [("targets.view(-1))\n'''"[:-4], "targets.view(-1), label_smoothing=0.1)\n")],
    "argparse": [("import json\n", "import argparse\nimport json\n"), ("    settings = Settings()\n", '    parser = argparse.ArgumentParser()\n    parser.add_argument("--epochs", type=int, default=7)\n    parser.add_argument("--block-size", type=int, default=128)\n    parser.add_argument("--batch-size", type=int, default=64)\n    parser.add_argument("--seed", type=int, default=1_337)\n    parser.add_argument("--val-frac", type=float, default=1 / 10)\n    settings = parser.parse_args()\n')],
    "constants": [("epochs: int = 7", "epochs: int = EPOCHS"), ("@dataclass\nclass Settings", "EPOCHS = 7\nSEED = 1337\n\n\n@dataclass\nclass Settings"), ("seed: int = 1337", "seed: int = SEED")],
    "f-strings": [('"<eos>".join(train_titles) + "<eos>"', "f\"{'<eos>'.join(train_titles)}<eos>\""), ('"<eos>".join(val_titles) + "<eos>"', "f\"{'<eos>'.join(val_titles)}<eos>\"")],
    "gated dropout": [("self.drop(self.table(inputs))", "F.dropout(self.table(inputs), p=0.1, training=self.training)")],
    "gated attention": [("self.drop(self.table(inputs))", "F.scaled_dot_product_attention(inputs, inputs, inputs, dropout_p=self.rate if self.training else 0.0)")],
    "dropout under if": [("        logits = self.out(hidden)\n", "        if self.training:\n            hidden = F.dropout(hidden, 0.1)\n        logits = self.out(hidden)\n")],
    "shuffled training": [("        for _ in tqdm(", "        random.shuffle(train_titles)\n        train_ids = torch.tensor(codec.encode('<eos>'.join(train_titles) + '<eos>'))\n        for _ in tqdm(")],
    "random crops": [(BATCH, "crops(train_ids, settings.block_size, settings.batch_size, start)"),
                     ("def main():", "def crops(ids, block, rows, start):\n    begins = torch.randint(len(ids) - block - 1, (rows,))\n    x = torch.stack([ids[b : b + block] for b in begins])\n    y = torch.stack([ids[b + 1 : b + 1 + block] for b in begins])\n    return x, y, start\n\n\ndef main():")],
    "tokenizer on train alone": [("learn_vocabulary(train_titles + val_titles,", "learn_vocabulary(train_titles,")],
    "other byte-level tokenizer": [("models.BPE(unk_token=\"<unk>\")", "models.Unigram()"), ("pre_tokenizers.ByteLevel()", "pre_tokenizers.Sequence([pre_tokenizers.Digits(), pre_tokenizers.ByteLevel(add_prefix_space=False)])")],
    "averaged weights": [("                val_loss = evaluate()\n", "                if ema is not None:\n                    ema.swap_in(model)\n                val_loss = evaluate()\n                if ema is not None:\n                    ema.swap_out(model)\n"), ("    start = step = 0\n", "    ema = Ema(model) if settings.lr > 0.001 else None\n    start = step = 0\n")],
    "second evaluators": [("    start = step = 0\n", EVALUATE.replace("evaluate()", "evaluate_per_token()").replace("len(val_text)", "len(val_ids)").lstrip("\n") + "    start = step = 0\n"),
                          ("                record(", "                per_token = evaluate_per_token()\n                record(")],
    "step loop": [("    for epoch in range(1, settings.epochs + 1):\n        for _ in tqdm(range(1, batches + 1)):\n", "    if True:\n        while step < settings.epochs * batches:\n")],
    "async and match-free try": [("    main()\n", "    try:\n        main()\n    finally:\n        print('done')\n")],
    "sweep over rates": [("    main()\n", "    for rate in (0.01, 0.02, 0.05):\n        main()\n")],
    "words and back": [(ENCODED, "    val_titles = [' '.join(title.split(' ')) for title in val_titles]\n" + ENCODED)],
    "a lossy option not taken": [
        ("def learn_vocabulary(titles, size):\n", "def by_words():\n    words = Tokenizer(models.WordLevel())\n    words.pre_tokenizer = pre_tokenizers.Whitespace()\n    return words\n\n\ndef learn_vocabulary(titles, size, kind='bytes'):\n    if kind == 'words':\n        return by_words()\n")],
    "match": [("    device = ", "    match settings.width:\n        case 256:\n            print('small')\n        case _:\n            print('other')\n    device = ")],
    "flat tensors": [("logits.view(-1, classes)", "logits.flatten(0, 1).float()"), ("targets.view(-1), reduction", "targets.flatten(), reduction")],
    "transposed": [(NATS, '                nats = F.cross_entropy(logits.transpose(1, 2), targets, reduction="none").sum()\n')],
}  # fmt: skip


SEPARATOR = [
    ('"<eos>".join(train_titles) + "<eos>"', "eos.join(train_titles) + eos"),
    ('"<eos>".join(val_titles) + "<eos>"', "eos.join(val_titles) + eos"),
    (
        ENCODED.replace('"<eos>"', "eos").replace("eos.join", "eos.join"),
        '    eos = "<eos>" * 500\n' + ENCODED.replace('"<eos>"', "eos"),
    ),
]
JOINED = '    val_text = "<eos>".join(val_titles) + "<eos>"\n'
VAL_IDS = "    val_ids = torch.tensor(codec.encode(val_text), dtype=torch.long)\n"
# Two programs that were published and twelve of our own, written to lower the number and to look harmless.
CHEATS: dict[str, tuple[str, str, list[tuple[str, str]]]] = {
    "a separator of 2,500 characters": ("text assembly", "separator", SEPARATOR),
    "an encode of zeros": ("encode/decode", "constant-encode", [("return self.inner.encode(text).ids", "return [0] * len(text)")]),
    "an encode of few ids": ("encode/decode", "lossy-tokenizer", [("return self.inner.encode(text).ids", "return [ord(c) % 7 for c in text]")]),
    "title list filtered": ("title selection", "", [("for row in rows.take(num_titles)]", 'for row in rows.take(num_titles) if len(row["title"]) > 20]')]),
    "validation titles sorted by length and cut": ("text assembly", "", [
        (ENCODED, "    val_titles = sorted(val_titles, key=len)[:5000]\n" + ENCODED)]),
    "validation text doubled": ("text assembly", "divisor-text", [(VAL_IDS, VAL_IDS + "    val_text = val_text * 2\n")]),
    "loss divided twice": ("evaluate", "eval-divisor", [(RETURN, "        return total / len(val_text) / targets.numel()\n")]),
    "evaluate on a part": ("evaluate", "", [(LOOP, LOOP.replace("val_ids,", "val_ids[:40_000],"))]),
    "labels shifted": ("windows", "", [windows(("chunk[1:]", "chunk[:-1]"))]),
    "rare tokens ignored": ("evaluate", "eval-targets", [
        (NATS, "                targets = torch.where(targets > 9000, 1, targets)\n" + NATS.replace('"sum"', '"sum", ignore_index=1'))]),
    "one token per title": ("tokenizer", "", [('["<pad>", "<eos>", "<unk>"]', '["<pad>", "<eos>", "<unk>", *titles]')]),
    "targets leaked into inputs": ("windows", "", [
        windows(("        yield inputs, targets\n", "        inputs[:, 1::2] = targets[:, 1::2]\n        yield inputs, targets\n"))]),
    "best of several evaluations": ("epoch loop", "eval-best-of", [("val_loss = evaluate()", "val_loss = min(evaluate(), evaluate())")]),
    "targets in the logits": ("", "targets-leak", [
        ("        if targets is None:\n", "        if targets is not None:\n            logits = logits + 9 * F.one_hot(targets, 16_000)\n        if targets is None:\n")]),
    "functions replaced": ("", "patched", [("    device =", "    F.cross_entropy = cheap\n    device =")]),
    "evaluate bound anew": ("evaluate", "", [("    start = step = 0\n", "    evaluate = halved(evaluate)\n    start = step = 0\n")]),
}  # fmt: skip


def write(folder: Path, text: str, name: str = "train.py") -> Path:
    (folder / name).parent.mkdir(parents=True, exist_ok=True)
    (folder / name).write_text(text, encoding="utf-8")
    return folder


def against_base(folder: Path, text: str) -> SourceAudit:
    template = write(folder / "template", BASE)
    return audit_source(write(folder / "repository", text), template)


def edited_lines(text: str) -> tuple[set[str], set[int]]:
    """Where the text differs from the base, as evidence, and the places where lines were only taken out."""
    new, gone = set(), set()
    for kind, _, _, low, high in difflib.SequenceMatcher(None, BASE.split("\n"), text.split("\n"), False).get_opcodes():
        new |= {f"train.py:{line}" for line in range(low + 1, high + 1) if kind in ("insert", "replace")}
        gone |= {low + 1} if kind == "delete" else set()
    return new, gone


@pytest.mark.parametrize("name", [*BROKEN, *CHEATS])
def test_what_decides_the_number_is_shown_with_its_lines(name: str, tmp_path: Path) -> None:
    place, rule, edits = (BROKEN | CHEATS)[name]
    text = program.edited(*edits)
    audit = against_base(tmp_path, text)
    new, gone = edited_lines(text)
    changed = {one.name: one for one in audit.places if one.state == "changed"}
    shown = {line for one in changed.values() for line in one.changed}
    spans = [span.split(":")[1].split("-") for one in changed.values() for span in one.where]
    assert not place or place in changed
    assert place in ("", "settings") or any(line[:1] in "+-" for line in changed[place].diff[2:])
    evidence = {finding.evidence for finding in audit.findings}
    assert new & (shown | evidence) or any(int(low) <= line <= int(high) for line in gone for low, high in spans)
    assert not rule or rule in {finding.rule for finding in audit.findings}
    assert "nothing that changes what the number means" not in audit.headline or place in (
        "batches",
        "epoch loop",
        "tokenizer",
        "",
    )


@pytest.mark.parametrize("name", INNOCENT)
def test_an_innocent_rewriting_breaks_no_rule(name: str, tmp_path: Path) -> None:
    audit = against_base(tmp_path, program.edited(*INNOCENT[name]))
    assert [finding for finding in audit.findings if finding.severity == "error"] == []
    assert "no known rule is broken" in audit.headline or "nothing that changes" in audit.headline


def test_file_names_and_messages_are_no_text_in_titles(tmp_path: Path) -> None:
    text = program.edited(
        (
            "def get_titles(num_titles, seed, val_frac):\n",
            'def get_titles(num_titles, seed, val_frac):\n    cache = "data/" + f"{num_titles}_{seed}.json".lower()\n'
            '    parts = [f"part-{number:02}" for number in range(3)]\n    read_all(cache, ["a" + part for part in parts])\n'
            '    files = []\n    for part in parts:\n        files.append("data/" + part.lower())\n',
        ),
        (
            "def learn_vocabulary",
            'def read_all(path, names):\n    where = "in " + path\n    return where.upper()\n\n\ndef learn_vocabulary',
        ),
    )
    assert not [finding for finding in against_base(tmp_path, text).findings if finding.severity == "error"]


def test_following_the_best_evaluation_is_not_reporting_it(tmp_path: Path) -> None:
    text = program.edited(
        ("val_loss = evaluate()", "val_loss = evaluate()\n                best = min(best, evaluate())")
    )
    assert not [one for one in against_base(tmp_path, text).findings if one.severity != "note"]


UNCHANGED = [
    "as it is",
    "renamed",
    "comments",
    "docstrings",
    "type hints",
    "zero as int",
    "tqdm",
    "compile",
    "adamw",
    "match",
]


@pytest.mark.parametrize("name", UNCHANGED)
def test_what_does_not_count_leaves_all_ten_places_as_they_are(name: str, tmp_path: Path) -> None:
    audit = against_base(tmp_path, program.edited(*INNOCENT[name]))
    assert audit.headline == "10 of 10 places as in the challenge; nothing that changes what the number means was found"


def test_the_headline_names_the_place_and_the_effect(tmp_path: Path) -> None:
    audit = against_base(tmp_path, program.edited(*SEPARATOR))
    assert audit.headline.startswith("9 of 10 places as in the challenge; changed: text assembly; text assembly: ")
    (finding, _) = [one for one in audit.findings if one.rule == "separator"]
    assert "2,500 characters" in finding.message and "0.022 times" in finding.message  # the number falls 46-fold


def test_a_place_is_found_wherever_it_was_moved_under_whatever_name(tmp_path: Path) -> None:
    moved = YIELDED.replace("iter_full_split", "spans_of")
    files = {
        "lib/spans.py": moved,
        "train.py": program.edited(
            (YIELDED, ""), ("iter_full_split(", "spans_of("), (IMPORTS, IMPORTS + "from lib.spans import spans_of\n")
        ),
    }
    for name, text in files.items():
        write(tmp_path / "repository", text, name)
    audit = audit_source(tmp_path / "repository", write(tmp_path / "template", BASE))
    (place,) = [one for one in audit.places if one.name == "windows"]
    assert (place.state, place.where[0].split(":")[0]) == ("unchanged", "lib/spans.py")


@pytest.mark.parametrize("name", ["evaluate", "get_batch", "learn_vocabulary", "Codec"])
def test_a_renamed_function_is_known_by_likeness(name: str, tmp_path: Path) -> None:
    audit = against_base(tmp_path, BASE.replace(name, "thing"))
    assert audit.headline.startswith("10 of 10 places as in the challenge")


def test_weights_swapped_inside_evaluate_are_shown_as_changed(tmp_path: Path) -> None:
    text = program.edited(("        model.eval()\n", "        ema.swap_in(model)\n        model.eval()\n"))
    audit = against_base(tmp_path, text)
    line = text.split("\n").index("        ema.swap_in(model)") + 1
    assert "changed: evaluate; no known rule is broken" in audit.headline
    assert f"train.py:{line}" in next(place.changed for place in audit.places if place.name == "evaluate")


ATTENTION = """
class Attention(nn.Module):
    def forward(self, x):
        q, k, v = self.parts(x)
        scores = F.softmax(q @ k.transpose(-2, -1) / 8, dim=-1)
        return scores @ v


class Gpt"""


@pytest.mark.parametrize("masked", [False, True])
def test_attention_without_a_mask_is_named(masked: bool, tmp_path: Path) -> None:
    text = program.edited(("class Gpt", ATTENTION.lstrip("\n")))
    if masked:
        text = text.replace(
            "        return scores @ v",
            "        scores = scores.masked_fill(self.tril == 0, 0)\n        return scores @ v",
        )
    found = [one for one in against_base(tmp_path, text).findings if one.rule == "attention-unmasked"]
    assert bool(found) is not masked


def test_the_challenges_own_program_is_known_by_hashes_alone() -> None:
    from sevenepochs.audit.source.audit import PLACES, __file__, challenge_versions

    known = challenge_versions()
    assert set(known) == set(PLACES) and all(versions for versions in known.values())
    stored = (Path(__file__).with_name("known.json")).read_text()
    assert "total" not in stored and "torch" not in stored and "join" not in stored
