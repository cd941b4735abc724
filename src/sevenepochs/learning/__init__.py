"""What a step is made of: objective, optimizer, schedule, averaging, and how a run is executed."""
