"""Lesson 6, the whole model: its figures, its checks and what else it shows."""
