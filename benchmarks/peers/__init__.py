"""The contestants: each file has `make_step(shape)`, which builds a model and its `Step`."""
