"""Lesson 0, start here: its figures, its checks and what else it shows."""
