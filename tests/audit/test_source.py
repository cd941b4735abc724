"""The source audit on a program of our own: every kind of rule change is caught, every innocent rewriting passes."""

# ruff: noqa: E501 (the edits are lines of a program, kept whole)

from __future__ import annotations

import importlib.util
from pathlib import Path

import pytest

from sevenepochs.audit.finding import Finding
from sevenepochs.audit.source import audit_source

_spec = importlib.util.spec_from_file_location("source_program", Path(__file__).with_name("source_program.py"))
assert _spec and _spec.loader
program = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(program)
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


# name: (rule, evidence must lie in this line, edits)
BROKEN: dict[str, tuple[str, str, list[tuple[str, str]]]] = {
    "per token": ("eval-divisor", "nats = F", [(RETURN, "        return total / len(val_ids)\n")]),
    "per scored token": ("eval-divisor", "nats = F", [
        ("        total = 0.0\n", "        total, seen = 0.0, 0\n"), (NATS, NATS + "                seen += targets.numel()\n"),
        (RETURN, "        return total / seen\n")]),
    "bytes": ("eval-divisor", "return total", [(RETURN, '        return total / len(val_text.encode("utf-8"))\n')]),
    "train characters": ("eval-divisor", "return total", [(RETURN, "        return total / len(train_text)\n")]),
    "both texts": ("eval-divisor", "return total", [(RETURN, "        return total / (2 * len(val_text))\n")]),
    "not divided": ("eval-divisor", "nats = F", [(RETURN, "        return total\n")]),
    "mean": ("eval-reduction", "nats = F", [(', reduction="sum")', ")")]),
    "mean named": ("eval-reduction", "nats = F", [('reduction="sum"', 'reduction="mean"')]),
    "overlap": ("eval-windows-overlap", "targets = chunk", [windows(("need + 1, need)", "need + 1, need // 2)"))]),
    "no gap": ("eval-windows-changed", "targets = chunk", [windows(("need + 1, need)", "need + 1, need - 1)"))]),
    "skips windows": ("eval-windows-fewer", "targets = chunk", [windows(("need + 1, need)", "need + 1, 2 * need)"))]),
    "first half": ("eval-windows-fewer", "targets = chunk", [windows(("len(ids) - need + 1", "len(ids) // 2"))]),
    "breaks early": ("eval-windows-fewer", "targets = chunk", [
        (LOOP, LOOP.replace("for inputs, targets in ", "for i, (inputs, targets) in enumerate(").replace("):\n", ")):\n")
         + "                if i == 10:\n                    break\n")]),
    "islice": ("eval-windows-fewer", "targets = chunk", [
        ("import json\n", "import json\nfrom itertools import islice\n"),
        (LOOP, LOOP.replace("iter_full_split(", "islice(iter_full_split(").replace("device):", "device), 5):"))]),
    "scores half a window": ("eval-targets", "nats = F", [
        (NATS, "                targets = targets[:, 64:]\n" + NATS.replace("logits.view", "logits[:, 64:].reshape"))]),
    "no window": ("no-window", "return total", [("batch_size: int = 64", "batch_size: int = 1024")]),
    "tail too": ("eval-windows-tail", "targets = chunk", [
        windows(("        yield inputs, targets\n", '        yield inputs, targets\n    rest = ids[start + need :]\n    yield rest[:-1].view(1, -1).to(device), rest[1:].view(1, -1).to(device)\n'))]),
    "random windows": ("eval-windows-random", "targets = chunk", [
        windows(("    for start in range(0, len(ids) - need + 1, need):\n",
                 "    for start in torch.randint(0, len(ids) - need, (20,)).tolist():\n"))]),
    "wrong targets": ("eval-targets", "nats = F", [windows(("chunk[1:]", "chunk[:-1]"))]),
    "temperature": ("eval-logits", "nats = F", [("logits.view(-1, classes), targets", "logits.view(-1, classes) / 1.3, targets")]),
    "softcap": ("eval-logits", "nats = F", [(NATS, "                logits = 15 * torch.tanh(logits / 15)\n" + NATS)]),
    "unigram mixed in": ("eval-logits", "nats = F", [(NATS, "                logits = logits + unigram\n" + NATS)]),
    "label smoothing": ("eval-label-smoothing", "nats = F", [('reduction="sum"', 'reduction="sum", label_smoothing=0.1')]),
    "ignored targets": ("eval-targets", "nats = F", [('reduction="sum"', 'reduction="sum", ignore_index=1')]),
    "other batch": ("eval-geometry", "targets = chunk", [(LOOP, LOOP.replace("settings.batch_size", "256"))]),
    "other block": ("eval-geometry", "targets = chunk", [(LOOP, LOOP.replace("settings.block_size", "512"))]),
    "best of three": ("eval-best-of", "nats = F", [
        ("val_loss = evaluate()", "val_loss = min(evaluate() for _ in range(3))")]),
    "best so far": ("eval-best-of", "nats = F", [
        ("    start = step = 0\n", '    best, start, step = float("inf"), 0, 0\n'),
        ("                record(", "                if val_loss < best:\n                    best = val_loss\n                record("),
        ("loss=val_loss", "loss=best")]),
    "averaged": ("eval-averaged", "targets = chunk", [
        ("val_loss = evaluate()", "val_loss = (evaluate() + evaluate()) / 2")]),
    "training titles": ("eval-on-training-titles", "targets = chunk", [
        (LOOP, LOOP.replace("val_ids", "train_ids")), (RETURN, "        return total / len(train_text)\n")]),
    "swapped split": ("eval-on-training-titles", "targets = chunk", [("return every[:cut], every[cut:]", "return every[cut:], every[:cut]")]),
    "test-time training": ("test-time-training", "nats.backward", [
        (NATS, NATS + "                nats.backward()\n                optimizer.step()\n")]),
    "n-gram cache": ("eval-cache", "cache.update", [
        ("        total = 0.0\n", "        total, cache = 0.0, NgramCache()\n"), (NATS, NATS + "                cache.update(targets)\n")]),
    "no eval mode": ("eval-mode", "logits, _ = model(inputs, targets)", [("        model.eval()\n", "")]),
    "train mode": ("eval-mode", "logits, _ = model(inputs, targets)", [("        model.eval()\n", "        model.train(True)\n")]),
    "epochs": ("fixed-epochs", "epochs: int", [("epochs: int = 7", "epochs: int = 14")]),
    "epochs in call": ("fixed-epochs", "settings = Settings(", [("settings = Settings()", "settings = Settings(epochs=20)")]),
    "epochs assigned": ("fixed-epochs", "settings.epochs", [("    device =", "    settings.epochs = 10\n    device =")]),
    "epochs argument": ("fixed-epochs", "add_argument", [
        ("    settings = Settings()\n", '    parser = argparse.ArgumentParser()\n    parser.add_argument("--epochs", type=int, default=21)\n    settings = parser.parse_args()\n')]),
    "longer loop": ("extra-epochs", "loss.backward", [("settings.epochs + 1", "2 * settings.epochs + 1")]),
    "inner loop": ("extra-epochs", "loss.backward", [("tqdm(range(1, batches + 1))", "tqdm(range(3 * batches))")]),
    "parts of a batch counted as batches": ("extra-epochs", "loss / 4", [("import json\n", "import argparse\nimport json\n"),
        ("    settings = Settings()\n", '    parser = argparse.ArgumentParser()\n    parser.add_argument("--parts", type=int, default=4)\n    options = parser.parse_args()\n    settings = Settings()\n'),
        ("(settings.block_size * settings.batch_size)\n", "(settings.block_size * (settings.batch_size // options.parts))\n"),
        ("            inputs, targets, start = " + BATCH + "\n            _, loss = model(inputs, targets)\n            optimizer.zero_grad(set_to_none=True)\n            loss.backward()\n",
         "            optimizer.zero_grad(set_to_none=True)\n            for part in range(options.parts):\n                inputs, targets, start = " + BATCH.replace("settings.batch_size", "settings.batch_size // options.parts")
         + "\n                _, loss = model(inputs, targets)\n                (loss / 4).backward()\n")]),
    "repeated titles": ("extra-epochs", "loss.backward", [('"<eos>".join(train_titles)', '"<eos>".join(train_titles * 4)')]),
    "seed": ("fixed-seed", "seed: int", [("seed: int = 1337", "seed: int = 42")]),
    "shuffle seed": ("fixed-seed", ".shuffle", [(".shuffle(seed=seed)", ".shuffle(seed=7)")]),
    "titles": ("fixed-titles", "num_titles: int", [("num_titles: int = 100_000", "num_titles: int = 400_000")]),
    "fraction": ("fixed-val-frac", "val_frac: float", [("val_frac: float = 0.10", "val_frac: float = 0.01")]),
    "lowercase": ("lossy-tokenizer", "Lowercase", [
        ("    tokenizer.decoder", "    tokenizer.normalizer = normalizers.Lowercase()\n    tokenizer.decoder")]),
    "nfkc in sequence": ("lossy-tokenizer", "NFKC", [
        ("    tokenizer.decoder", "    tokenizer.normalizer = normalizers.Sequence([normalizers.NFKC()])\n    tokenizer.decoder")]),
    "bert normalizer": ("lossy-tokenizer", "BertNormalizer", [
        ("    tokenizer.decoder", "    tokenizer.normalizer = normalizers.BertNormalizer(lowercase=True)\n    tokenizer.decoder")]),
    "whitespace": ("lossy-tokenizer", "Whitespace", [("pre_tokenizers.ByteLevel()", "pre_tokenizers.Whitespace()")]),
    "lower titles": ("validation-text-changed", ".strip().lower()", [('row["title"].strip()', 'row["title"].strip().lower()')]),
    "lower text": ("validation-text-changed", ").lower()", [('"<eos>".join(val_titles) + "<eos>"', '("<eos>".join(val_titles) + "<eos>").lower()')]),
    "regex": ("validation-text-changed", "re.sub", [
        (ENCODED, '    val_titles = [re.sub(r"[^a-z ]", "", title) for title in val_titles]\n' + ENCODED)]),
    "markers": ("validation-text-changed", "<start>", [
        (ENCODED, '    val_titles = [f"<start>{title}" for title in val_titles]\n' + ENCODED)]),
    "markers by function": ("validation-text-changed", "<caps>", [
        (ENCODED, "    val_titles = mark(val_titles)\n" + ENCODED),
        ("def main():", 'def mark(titles):\n    marked = []\n    for title in titles:\n        marked.append("<caps>" + title)\n    return marked\n\n\ndef main():')]),
    "markers in place": ("validation-text-changed", "<caps>", [
        (ENCODED, "    val_titles = mark(val_titles)\n" + ENCODED),
        ("def main():", 'def mark(titles):\n    def word(text):\n        return "<caps>" + text if text.isupper() else text\n\n    for i in range(len(titles)):\n        titles[i] = " ".join(map(word, titles[i].split(" ")))\n    return titles\n\n\ndef main():')]),
    "lower case in place": ("validation-text-changed", ".lower()", [
        (ENCODED, "    for i, title in enumerate(val_titles):\n        val_titles[i] = title.lower()\n" + ENCODED)]),
    "long separator": ("validation-text-changed", "nats = F", [('"<eos>".join(val_titles)', '"<end-of-title>".join(val_titles)')]),
    "easy titles": ("validation-titles-filtered", "> 30", [
        (ENCODED, "    val_titles = [title for title in val_titles if len(title) > 30]\n" + ENCODED)]),
    "fewer titles": ("validation-titles-filtered", "[:2_000]", [(ENCODED, "    val_titles = val_titles[:2_000]\n" + ENCODED)]),
    "deduplicated": ("validation-titles-filtered", "fromkeys", [
        (ENCODED, "    val_titles = list(dict.fromkeys(val_titles))\n" + ENCODED)]),
    "functional dropout": ("dropout-at-eval", "F.dropout", [
        ("hidden = self.drop(self.table(inputs))", "hidden = F.dropout(self.table(inputs), 0.1)")]),
    "attention dropout": ("dropout-at-eval", "scaled_dot", [
        ("hidden = self.drop(self.table(inputs))",
         "hidden = F.scaled_dot_product_attention(inputs, inputs, inputs, dropout_p=self.rate, is_causal=True)")]),
    "no revision": ("data-revision", "load_dataset(", [(', revision="d210f96"', "")]),
    "stale tokenizer": ("cached-data", "from_file", [
        ("codec = Codec(learn_vocabulary(train_titles + val_titles, settings.vocab_size))", 'codec = Codec(Tokenizer.from_file("tokenizer.json"))')]),
    "pretrained": ("pretrained-weights", "from_pretrained", [
        ("Gpt(settings.vocab_size, settings.width, settings.dropout)", 'GPT2LMHeadModel.from_pretrained("gpt2")')]),
    "downloaded weights": ("pretrained-weights", "load_state_dict", [
        ("    optimizer =", '    model.load_state_dict(torch.load(hf_hub_download("a/b", "w.pt", revision="1")))\n    optimizer =')]),
    "trains on validation": ("trains-on-validation", "loss.backward", [
        ('"<eos>".join(train_titles)', '"<eos>".join(train_titles + val_titles)')]),
    "trains on validation ids": ("trains-on-validation", "loss.backward", [
        ("    batches = len", "    train_ids = torch.cat([train_ids, val_ids])\n    batches = len")]),
    "augmented": ("training-text-changed", "synonyms", [
        (ENCODED, "    train_titles = [synonyms(title) for title in train_titles]\n" + ENCODED)]),
    "extended": ("training-text-changed", "load_more", [
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


def write(folder: Path, text: str, name: str = "train.py") -> Path:
    (folder / name).parent.mkdir(parents=True, exist_ok=True)
    (folder / name).write_text(text, encoding="utf-8")
    return folder


def loud(findings: list[Finding]) -> list[Finding]:
    return [finding for finding in findings if finding.severity != "note"]


@pytest.mark.parametrize("name", BROKEN)
def test_a_broken_rule_is_caught(name: str, tmp_path: Path) -> None:
    rule, line, edits = BROKEN[name]
    text = program.edited(*edits)
    findings = [finding for finding in audit_source(write(tmp_path, text)) if finding.rule == rule]
    assert findings, [finding.rule for finding in audit_source(tmp_path)]
    lines = text.splitlines()
    places = [str(finding.evidence).rsplit(":", 1) for finding in findings]
    assert all(path == "train.py" for path, _ in places)
    assert any(line in "\n".join(lines[int(number) - 1 : int(number) + 1]) for _, number in places), places


@pytest.mark.parametrize("name", INNOCENT)
def test_an_innocent_rewriting_passes(name: str, tmp_path: Path) -> None:
    assert loud(audit_source(write(tmp_path, program.edited(*INNOCENT[name])))) == []


def test_the_base_has_only_the_tail_drop(tmp_path: Path) -> None:
    assert [finding.rule for finding in audit_source(write(tmp_path, BASE))] == ["tail-drop"]
