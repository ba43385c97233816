"""Lesson 12, the whole table: its figures, its checks and what else it shows."""
