"""Lesson 10, inference and evaluation: its figures, its checks and what else it shows."""
