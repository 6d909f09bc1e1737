"""Subscriptions: events that compare the objects that a viewer saw last with those that they see now."""
