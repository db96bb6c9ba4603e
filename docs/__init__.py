"""Pages, and the programs that write them: `make docs`, `make bench`."""
