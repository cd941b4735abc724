"""The contestants: each file has `NOTE` (what differs) and `make_step(shape) -> step(x_BT, y_BT, number) -> loss`."""
