"""The parts of a training step: objective, optimizer, schedule, averaging; and the settings of a run."""
