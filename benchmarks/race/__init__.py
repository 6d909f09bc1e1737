"""Atoll beside what people would use instead: same data, same authentication, answers compared."""
