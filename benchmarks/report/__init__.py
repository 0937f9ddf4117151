"""One page, and tables for the documents, out of the result files; nothing is measured here."""
