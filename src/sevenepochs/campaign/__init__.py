"""Several runs as one job: the ladder of recipes, seeds for the seed noise, the search. Each goes on where it was
stopped: finished runs are found in the run folders and in results/, and nothing is trained twice."""
