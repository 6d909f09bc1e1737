"""List engine: pages, cursors, counts, facets and search of every connection."""
