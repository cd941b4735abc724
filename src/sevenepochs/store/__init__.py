"""Everything that lies on disk: run folders, published results, caches. No torch."""
