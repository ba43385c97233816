"""Lesson 3, output stride: its figures, its checks and what else it shows."""
