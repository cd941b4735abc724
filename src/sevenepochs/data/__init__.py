"""From titles to rows of token ids: corpora, tokenizers, batches."""
