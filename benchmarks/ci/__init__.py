"""What CI of each tool takes, on GitHub Actions and on GitLab, counted out of the very files in this repository."""
