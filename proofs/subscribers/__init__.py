"""Proof of subscriptions with many subscribers: none of their events is lost or doubled."""
