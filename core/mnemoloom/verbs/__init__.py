"""The verbs of a memory, in groups; each verb stands beside its async twin."""
