"""Pictures of a finished run in the tools' own UIs, taken by a browser that nobody sees."""
