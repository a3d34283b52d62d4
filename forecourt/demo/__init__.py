"""The sample world: a simulated fleet and workload around the real platform; the product imports none of it."""
