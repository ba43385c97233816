"""Lesson 5, the spatial pyramid: its figures, its checks and what else it shows."""
