"""What each tool can do beyond running a pipeline: described beside the code that shows it, held by tests."""
