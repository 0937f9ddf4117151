"""The tools on their real servers: compose stacks, and how the harness talks to them."""
