"""What a change takes with each tool: commands, seconds until it runs on the server, images, files."""
