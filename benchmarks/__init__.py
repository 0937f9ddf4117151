"""The harness and the `bakeoff` command. It runs in the core environment and drives each tool as processes."""
