"""List engine: pages, cursors, counts, facets and search of every list, declared as a `Listing`."""
