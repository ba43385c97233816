"""Lesson 7, datasets: its figures, its checks and what else it shows."""
