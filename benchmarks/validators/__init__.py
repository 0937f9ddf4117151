"""One script for each way of validating a month; each runs in a process of its own and knows only its own tool."""
