"""Scale out: a fan-out of candidates, and many tasks that do nothing, on 1, 2 and 4 workers of a tool."""
