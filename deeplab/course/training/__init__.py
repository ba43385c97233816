"""Lesson 8, training: its figures, its checks and what else it shows."""
