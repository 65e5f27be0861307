"""One module for each table that is downloaded: `read(files)` turns published files into a table."""
