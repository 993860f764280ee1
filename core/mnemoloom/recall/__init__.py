"""Recall: reading a query, ranking what a namespace holds, explaining the ranking."""
