"""One module for each bundled table: `build(raw)` reads the public files and returns the table."""
