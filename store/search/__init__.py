"""Full-text search: tokenizer, queries, fuzzy matching and an index updated in each write transaction."""
