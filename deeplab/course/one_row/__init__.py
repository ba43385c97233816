"""Lesson 11, one row: its figures, its checks and what else it shows."""
