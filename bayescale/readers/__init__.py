"""One module for each table that is downloaded: `read(files)` makes a table of its files."""
