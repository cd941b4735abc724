"""A trained model asked: ids and text in, numpy out."""
