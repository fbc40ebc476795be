"""One module for each notebook: points, cases and misconceptions of its exercises. See docs/authoring.md."""
