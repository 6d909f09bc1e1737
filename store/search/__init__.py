"""Full-text search: tokenizer, queries, fuzzy matching, and an index that each write transaction updates."""
